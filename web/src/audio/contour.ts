/** The loudness contour of a recording, by which it is known again in another encoding. */

import { SAMPLE_RATE } from "./waveform.ts";

const FRAME = SAMPLE_RATE / 100; // samples: 10 ms
const FLOOR = 0.02; // of the mean level: below it, encoders write what they like
const MOST_SHIFT = 12; // frames: what encoders put before a recording
const LEAST = 100; // frames: shorter contours of the same word are alike
const ALIKE = 0.98; // correlation; two takes of one word may reach it too, so voices are compared as well

/** The logarithm of the level in each 10 ms. */
export function loudnessContour(samples: Float32Array): Float32Array {
  const frames = Math.floor(samples.length / FRAME);
  const powers = Float64Array.from({ length: frames }, (_, i) => {
    let sum = 0;
    for (let at = i * FRAME; at < (i + 1) * FRAME; at += 1) sum += samples[at] * samples[at];
    return sum / FRAME;
  });
  const floor = FLOOR * Math.sqrt(powers.reduce((sum, power) => sum + power, 0) / Math.max(1, frames));
  return Float32Array.from(powers, (power) => Math.log(Math.sqrt(power) + floor + 1e-9));
}

/** Whether two contours are of one recording, as far as they tell; under 1 s they tell nothing. */
export function sameContour(a: Float32Array, b: Float32Array): boolean {
  if (Math.min(a.length, b.length) < LEAST || Math.abs(a.length - b.length) > MOST_SHIFT) return false;
  for (let shift = -MOST_SHIFT; shift <= MOST_SHIFT; shift += 1) {
    if (correlation(a.subarray(Math.max(0, shift)), b.subarray(Math.max(0, -shift))) >= ALIKE) return true;
  }
  return false;
}

function correlation(a: Float32Array, b: Float32Array): number {
  const length = Math.min(a.length, b.length);
  const mean = (values: Float32Array) => values.subarray(0, length).reduce((sum, value) => sum + value, 0) / length;
  const [meanA, meanB] = [mean(a), mean(b)];
  let [xy, xx, yy] = [0, 0, 0];
  for (let i = 0; i < length; i += 1) {
    const [x, y] = [a[i] - meanA, b[i] - meanB];
    xy += x * y;
    xx += x * x;
    yy += y * y;
  }
  const norm = Math.sqrt(xx * yy);
  return norm > 1e-6 * length ? xy / norm : 0;
}
