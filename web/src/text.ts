/** Numbers and names in sentences, worded as the Python library words them. */

/** A number with at most six significant digits, as Python's format `g` writes it. */
export function general(value: number): string {
  return String(Number(value.toPrecision(6)));
}

/** A number with so many digits behind the point; of what lies in the middle the even one, as Python writes it. */
export function fixed(value: number, digits: number): string {
  if (Math.abs((value * 2 ** (digits + 1)) % 2) !== 1) return value.toFixed(digits); // no other number lies in the middle
  const below = Math.floor(value * 10 ** digits);
  return ((below % 2 ? below + 1 : below) / 10 ** digits).toFixed(digits);
}

/** A number with its sign and one digit, as Python's format `+.1f`. */
export function signed(value: number): string {
  return `${value < 0 ? "" : "+"}${fixed(value, 1)}`;
}
