/** Decoded sound -> Waveform: mono at 16 kHz, as `voiceprint.audio.read` makes it. */

import { toMono } from "./channels.ts";
import { clippedFraction } from "./clipping.ts";
import { decodeAudio } from "./decoding.ts";
import { resampled } from "./resampling.ts";
import type { Sound } from "./wav.ts";
import { checkLength, checkRate, checkSamples, clamped, MAX_SECONDS, MIN_SECONDS, SAMPLE_RATE, type Waveform } from "./waveform.ts";
import { argumentError, checkNumber, fault } from "../errors.ts";

const MAX_OFFSET = 0.005; // of full scale; more is a fault of the recorder, and would be taken for noise
const OFFSET_FRAME = SAMPLE_RATE / 20; // samples of whose means the offset is the median
const OFFSET_ERRORS = 4; // standard errors of the mean that an offset lies beyond
const OFFSET_FRAMES = 10; // fewer of them, half a second, tell no offset from a slow sound

/** Samples in [-1, 1] with their rate; several channels come as a list. */
export interface Samples {
  readonly samples: Float32Array | Int16Array | readonly Float32Array[];
  readonly sample_rate: number;
}

/** What is taken for a clip. */
export type ClipSource = Blob | ArrayBuffer | Samples | Waveform;

/** How a clip is read. */
export interface ReadOptions {
  /** The channel to take, from 1 on, where each holds another sound. */
  readonly channel?: number;
  /** Longest clip that is read, in seconds. */
  readonly max_seconds?: number;
  /** What messages call it; a `File` has its name. */
  readonly source?: string;
}

/**
 * Read a clip as mono at 16 kHz.
 *
 * @throws VoiceprintError `audio` or `channels_differ`, as `read_audio` of the Python library.
 * @example
 * const waveform = await readAudio(file);
 */
export async function readAudio(clip: ClipSource, options: ReadOptions = {}): Promise<Waveform> {
  if (isWaveform(clip)) return clip;
  const source = options.source ?? (clip instanceof File ? clip.name : "samples" in clip ? "<array>" : "<bytes>");
  return toWaveform(await soundOf(clip, source, options.max_seconds), { ...options, source });
}

/** Decode a clip without bringing it to 16 kHz, so that a worker can do that; what says that it is too long is not decoded. */
export async function soundOf(clip: Blob | ArrayBuffer | Samples, source: string, max_seconds = MAX_SECONDS): Promise<Sound> {
  checkNumber("max_seconds", max_seconds, { above: 0 });
  if (clip instanceof Blob || clip instanceof ArrayBuffer) return decodeAudio(clip, source, max_seconds);
  const given = clip.samples;
  const channels = given instanceof Float32Array ? [given] : given instanceof Int16Array ? [fullScale(given)] : given;
  if (!channels.every((channel) => channel instanceof Float32Array && channel.length === channels[0].length)) {
    throw argumentError("samples", typeof given, "Float32Array, Int16Array, or a list of Float32Array of one length");
  }
  return { channels, sample_rate: clip.sample_rate };
}

/** Bring decoded sound to mono at 16 kHz. */
export function toWaveform(sound: Sound, { channel, max_seconds = MAX_SECONDS, source = "<array>" }: ReadOptions): Waveform {
  checkNumber("max_seconds", max_seconds, { above: 0 });
  const { channels, sample_rate: rate } = sound;
  checkRate(rate, source);
  checkLength((channels[0]?.length ?? 0) / rate, source, max_seconds);
  for (const each of channels) checkSamples(each, source);
  const mono = toMono(channels, rate, source, channel);
  const samples = resampled(mono, rate);
  if (samples.length / SAMPLE_RATE < MIN_SECONDS) {
    throw fault(source, `lasts ${(samples.length / SAMPLE_RATE).toFixed(3)} s; the shortest clip that can be used is ${MIN_SECONDS} s`);
  }
  const level = clamped(withoutOffset(samples));
  const clipped = Math.max(clippedFraction(mono), clippedFraction(level));
  return { samples: level, source, original_rate: rate, clipped };
}

/** Scale 16-bit integers to [-1, 1). */
export function fullScale(samples: Int16Array): Float32Array {
  return Float32Array.from(samples, (value) => value / 32768);
}

function isWaveform(clip: ClipSource): clip is Waveform {
  return !(clip instanceof Blob) && "original_rate" in clip;
}

/** Subtract a constant offset where it is sure: loud noise has means of its own. */
function withoutOffset(samples: Float32Array): Float32Array {
  const count = Math.floor(samples.length / OFFSET_FRAME);
  if (count < OFFSET_FRAMES) return samples;
  const means = Float64Array.from({ length: count }, (_, i) => mean(samples.subarray(i * OFFSET_FRAME, (i + 1) * OFFSET_FRAME)));
  const sorted = means.slice().sort();
  const offset = (sorted[(count - 1) >> 1] + sorted[count >> 1]) / 2;
  const centre = mean(means);
  const spread = Math.sqrt(mean(means.map((value) => (value - centre) ** 2)));
  const chance = (OFFSET_ERRORS * spread) / Math.sqrt(count);
  return Math.abs(offset) > Math.max(MAX_OFFSET, chance) ? samples.map((value) => value - offset) : samples;
}

function mean(values: Float32Array | Float64Array): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum / values.length;
}
