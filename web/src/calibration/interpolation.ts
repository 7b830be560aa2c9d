/** Values between values, as NumPy's `interp` has them. */

/** Between the values at rising places; beyond them, that of the nearest. */
export function interpolated(place: number, places: readonly number[], values: readonly number[]): number {
  if (place <= places[0]) return values[0];
  for (let i = 1; i < places.length; i += 1) {
    if (place > places[i]) continue;
    const share = (place - places[i - 1]) / (places[i] - places[i - 1]);
    return values[i - 1] + share * (values[i] - values[i - 1]);
  }
  return values[values.length - 1];
}
