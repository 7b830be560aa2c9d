/** How much of a recording was clipped, measured before resampling rounds the flat tops of the wave. */

const FLAT = 1e-4; // samples this close to each other at the ceiling are the flat top of a clipped wave
const LOUD = 0.1; // -20 dBFS: a quieter recording has not been overdriven

/** Measures a recording that comes block by block: the share of samples in flat runs at its ceiling. */
export class ClippingMeter {
  #peak = 0;
  #flat = 0;
  #length = 0;

  /** Take the next samples into account. */
  add(block: Float32Array): void {
    this.#length += block.length;
    let peak = 0;
    for (const sample of block) peak = Math.max(peak, Math.abs(sample));
    if (peak > this.#peak + FLAT) this.#flat = 0;
    this.#peak = Math.max(peak, this.#peak);
    this.#flat += inPlateaus(block, this.#peak - FLAT);
  }

  /** Fraction of the samples so far that are clipped. */
  get fraction(): number {
    return this.#length && this.#peak >= LOUD ? this.#flat / this.#length : 0;
  }
}

/** Fraction of samples in runs of two or more that sit at the clip's ceiling. */
export function clippedFraction(samples: Float32Array): number {
  const meter = new ClippingMeter();
  meter.add(samples);
  return meter.fraction;
}

function inPlateaus(samples: Float32Array, ceiling: number): number {
  const flat = (i: number): boolean =>
    i > 0 &&
    i < samples.length &&
    Math.abs(samples[i]) >= ceiling &&
    Math.abs(samples[i - 1]) >= ceiling &&
    Math.abs(samples[i] - samples[i - 1]) <= FLAT;
  let found = 0;
  for (let i = 0; i < samples.length; i += 1) if (flat(i) || flat(i + 1)) found += 1;
  return found;
}
