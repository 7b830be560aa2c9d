/** Fourier transforms of real sound, of one length. */

/** Hann's window, as long as the frames that it weighs. */
export function hann(length: number): Float64Array {
  return Float64Array.from({ length }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / (length - 1)));
}

/** Tells the power of frames in each bin. */
export class Spectrum {
  readonly #real: Float64Array;
  readonly #imaginary: Float64Array;
  readonly #cosines: Float64Array;
  readonly #sines: Float64Array;

  /** @param window What frames are weighed by; a power of two of numbers. */
  constructor(readonly window: Float64Array) {
    const { length } = window;
    this.#real = new Float64Array(length);
    this.#imaginary = new Float64Array(length);
    const angle = (k: number) => (-2 * Math.PI * k) / length;
    this.#cosines = Float64Array.from({ length: length / 2 }, (_, k) => Math.cos(angle(k)));
    this.#sines = Float64Array.from({ length: length / 2 }, (_, k) => Math.sin(angle(k)));
  }

  /** Power in the bins from 0 to half the frame's length, of the frame that begins at a sample. */
  power(samples: Float32Array, start: number): Float64Array {
    const [real, imaginary] = [this.#real, this.#imaginary];
    for (let i = 0; i < real.length; i += 1) real[i] = this.window[i] * samples[start + i];
    imaginary.fill(0);
    this.#transform();
    return Float64Array.from({ length: real.length / 2 + 1 }, (_, bin) => real[bin] ** 2 + imaginary[bin] ** 2);
  }

  /** In place (Cooley and Tukey, radix 2). */
  #transform(): void {
    const [real, imaginary] = [this.#real, this.#imaginary];
    const n = real.length;
    for (let i = 1, j = 0; i < n; i += 1) {
      let bit = n >> 1;
      for (; j & bit; bit >>= 1) j ^= bit;
      j ^= bit;
      if (i < j) [real[i], real[j]] = [real[j], real[i]]; // all else is 0
    }
    for (let size = 2; size <= n; size *= 2) {
      for (let k = 0; k < size / 2; k += 1) {
        const [cos, sin] = [this.#cosines[(k * n) / size], this.#sines[(k * n) / size]];
        for (let low = k; low < n; low += size) {
          const high = low + size / 2;
          const re = real[high] * cos - imaginary[high] * sin;
          const im = real[high] * sin + imaginary[high] * cos;
          real[high] = real[low] - re;
          imaginary[high] = imaginary[low] - im;
          real[low] += re;
          imaginary[low] += im;
        }
      }
    }
  }
}
