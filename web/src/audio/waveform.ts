/** Waveform: a clip as the whole library uses it, and the limits that hold for every clip. */

import { fault } from "../errors.ts";

/** Sample rate of all audio inside the library, in Hz. */
export const SAMPLE_RATE = 16_000;

/** Sample rates that are read, in Hz. */
export const MIN_RATE = 8_000;
export const MAX_RATE = 192_000;

/** Longest clip that is read unless asked otherwise, in seconds; less than Python's, for a tab has less memory. */
export const MAX_SECONDS = 600;

/** Shorter clips hold less than a syllable; in seconds. */
export const MIN_SECONDS = 0.1;

const MAX_PEAK = 4; // 12 dB above full scale: beyond it the samples are not scaled to [-1, 1] at all

/** Mono at 16 kHz, in [-1, 1], finite. */
export interface Waveform {
  readonly samples: Float32Array;
  /** Where it came from: a file's name, or `<array>`. */
  readonly source: string;
  /** Sample rate before resampling, in Hz. */
  readonly original_rate: number;
  /** Fraction of the samples before resampling that were clipped. */
  readonly clipped: number;
}

/** Refuse a sample rate that is not read. */
export function checkRate(rate: number, source: string): void {
  if (!(rate >= MIN_RATE && rate <= MAX_RATE)) {
    throw fault(source, `has a sample rate of ${rate} Hz; it must be from ${MIN_RATE} to ${MAX_RATE} Hz`);
  }
}

/** Refuse what is too long. */
export function checkLength(seconds: number, source: string, most: number): void {
  if (seconds > most) throw fault(source, `lasts over ${most} s (${Math.round(seconds)} s or more); cut it into shorter clips`);
}

/** Refuse samples that are not finite or far above full scale. */
export function checkSamples(samples: Float32Array, source: string): void {
  let peak = 0;
  for (const sample of samples) {
    const level = Math.abs(sample);
    if (!(level <= MAX_PEAK)) {
      if (!Number.isFinite(level)) throw fault(source, "holds samples that are NaN or infinite; export the clip again");
      peak = Math.max(peak, level);
    }
  }
  if (peak) throw fault(source, `has samples up to ${peak.toPrecision(3)}; divide them so that they lie in [-1, 1]`);
}

/** Limit samples to [-1, 1], in place: resampling a loud clip overshoots full scale a little. */
export function clamped(samples: Float32Array): Float32Array {
  for (let i = 0; i < samples.length; i += 1) samples[i] = Math.min(1, Math.max(-1, samples[i]));
  return samples;
}

/** Join pieces of sound. */
export function joined(parts: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let place = 0;
  for (const part of parts) {
    whole.set(part, place);
    place += part.length;
  }
  return whole;
}
