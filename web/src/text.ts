/** Numbers and names in sentences, worded as the Python library words them. */

/** A number with at most six significant digits, as Python's format `g` writes it. */
export function general(value: number): string {
  return String(Number(value.toPrecision(6)));
}

/** A number with its sign and one digit, as Python's format `+.1f`. */
export function signed(value: number): string {
  return `${value < 0 ? "" : "+"}${value.toFixed(1)}`;
}
