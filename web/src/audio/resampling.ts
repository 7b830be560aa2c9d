/**
 * Any sample rate -> 16 kHz, by a windowed sinc: flat to 91 % of the lower Nyquist frequency, below -110 dB from
 * it on, as soxr's "high quality". The browser's own resamplers are shorter, differ between browsers, and leave
 * what is above 8 kHz in the clip.
 */

import { SAMPLE_RATE } from "./waveform.ts";

const PASSBAND = 0.913; // of the lower Nyquist frequency
const ATTENUATION = 125; // dB
const BETA = 0.1102 * (ATTENUATION - 8.7); // Kaiser's window for it
const STEPS = 1024; // of the table between two samples; interpolated linearly, within -118 dB

/** Resamples sound that comes in blocks; the same sound gives the same samples, whatever the blocks. */
export class Resampler {
  readonly #step: number; // input samples from one output sample to the next
  readonly #reach: number; // input samples on either side that an output sample is made of
  readonly #table: Float64Array;
  #pending = new Float32Array(0);
  #first = 0; // place of the first pending sample in the input
  #read = 0; // input samples so far
  #written = 0;

  /** @param rate Of the input, in Hz. */
  constructor(readonly rate: number) {
    this.#step = rate / SAMPLE_RATE;
    const nyquist = Math.min(1, SAMPLE_RATE / rate); // of the lower rate, in those of the input
    const transition = Math.PI * nyquist * (1 - PASSBAND);
    this.#reach = Math.ceil((ATTENUATION - 8) / (2.285 * transition) / 2);
    this.#table = kernel(this.#reach, (nyquist * (1 + PASSBAND)) / 2);
    this.#pending = new Float32Array(this.#reach); // silence before the sound
    this.#first = -this.#reach;
  }

  /** Take the next samples, and give what is known of the output. */
  feed(block: Float32Array): Float32Array {
    this.#read += block.length;
    this.#append(block);
    return this.#write(Math.floor((this.#read - 1 - this.#reach) / this.#step) + 1);
  }

  /** End the sound, and give the rest of the output. */
  finish(): Float32Array {
    this.#append(new Float32Array(this.#reach + 1));
    return this.#write(Math.round(this.#read / this.#step));
  }

  #append(block: Float32Array): void {
    const needed = Math.floor(this.#written * this.#step) - this.#reach;
    const done = Math.min(Math.max(0, needed - this.#first), this.#pending.length);
    const kept = this.#pending.subarray(done);
    const next = new Float32Array(kept.length + block.length);
    next.set(kept);
    next.set(block, kept.length);
    this.#pending = next;
    this.#first += done;
  }

  #write(until: number): Float32Array {
    const made = new Float32Array(Math.max(0, until - this.#written));
    for (let i = 0; i < made.length; i += 1) made[i] = this.#sample((this.#written + i) * this.#step);
    this.#written += made.length;
    return made;
  }

  #sample(place: number): number {
    const table = this.#table;
    const last = Math.min(Math.floor(place) + this.#reach, this.#first + this.#pending.length - 1);
    let sum = 0;
    for (let at = Math.ceil(place) - this.#reach; at <= last; at += 1) {
      const distance = Math.abs(place - at) * STEPS;
      const index = Math.floor(distance);
      const weight = table[index] + (distance - index) * (table[index + 1] - table[index]);
      sum += weight * this.#pending[at - this.#first];
    }
    return sum;
  }
}

/** Bring a whole recording to 16 kHz. */
export function resampled(samples: Float32Array, rate: number): Float32Array {
  if (rate === SAMPLE_RATE) return samples.slice();
  const resampler = new Resampler(rate);
  const body = resampler.feed(samples);
  const rest = resampler.finish();
  const whole = new Float32Array(body.length + rest.length);
  whole.set(body);
  whole.set(rest, body.length);
  return whole;
}

/** One half of the kernel, `STEPS` values a sample, zero from its end on. */
function kernel(reach: number, cutoff: number): Float64Array {
  const table = new Float64Array(reach * STEPS + 2 * STEPS);
  for (let i = 0; i < reach * STEPS; i += 1) {
    const x = i / STEPS;
    const angle = Math.PI * cutoff * x;
    const sinc = x === 0 ? 1 : Math.sin(angle) / angle;
    table[i] = cutoff * sinc * (bessel(BETA * Math.sqrt(1 - (x / reach) ** 2)) / bessel(BETA));
  }
  return table;
}

/** Modified Bessel function of the first kind and order 0. */
function bessel(x: number): number {
  let term = 1;
  let sum = 1;
  for (let k = 1; term > 1e-16 * sum; k += 1) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}
