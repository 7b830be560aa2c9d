/**
 * Several channels -> one: averaged where they hold the same sound, the loudest where mixing would harm it.
 * Whether two channels hold the same sound shows in how their levels move, not by their samples.
 */

import { VoiceprintError, fault } from "../errors.ts";

const FRAME = 0.02; // seconds over which a level is measured
const FLOOR_DB = -30; // below a channel's loudest frame: what is quieter counts as this
const ACTIVE_DB = -25; // likewise: frames in which both channels are quieter tell nothing
const SILENT_DB = -30; // a channel that much below the loudest one is its bleed, or noise
const ALIKE = 0.7; // correlation of samples from which channels are averaged
const SAME_SOUND = 0.35; // correlation of levels from which channels hold one sound
const STEADY_DB = 6; // spread of levels below which a channel holds no speech

/**
 * Mix the channels of a clip to one.
 *
 * @param channel The one to take, from 1 on, where each holds another sound.
 * @throws VoiceprintError `channels_differ` if they hold different sounds and nothing says which one is meant.
 */
export function toMono(channels: readonly Float32Array[], rate: number, source: string, channel?: number): Float32Array {
  if (channel !== undefined) {
    const one = channels[channel - 1];
    if (!one) throw fault(source, `has ${channels.length} channel${channels.length === 1 ? "" : "s"}; there is no channel ${channel}`);
    return one;
  }
  if (channels.length === 1) return channels[0];
  const taken = chosen(channels, rate, source);
  return mixed(channels.filter((_, index) => taken[index]));
}

function mixed(channels: readonly Float32Array[]): Float32Array {
  if (channels.length === 1) return channels[0];
  return channels[0].map((_, i) => channels.reduce((sum, channel) => sum + channel[i], 0) / channels.length);
}

function chosen(channels: readonly Float32Array[], rate: number, source: string): boolean[] {
  const frame = Math.max(1, Math.round(FRAME * rate));
  const levels = channels.map((channel) => levelsOf(channel, frame));
  const power = channels.map((channel) => covariance(channel, channel));
  const highest = Math.max(...power);
  let live = power.map((value) => value > highest * 10 ** (SILENT_DB / 10));
  const moving = levels.map((level) => percentile(level, 95) - percentile(level, 10) >= STEADY_DB);
  if (live.some((each, i) => each && moving[i])) live = live.map((each, i) => each && moving[i]);
  const loudest = indexOfMost(power.map((value, i) => (live[i] ? value : -1)));
  const alike = channels.map((channel, i) => {
    const scale = Math.sqrt(power[i] * power[loudest]);
    return scale > 0 ? covariance(channels[loudest], channel) / scale : 0;
  });
  const other = channels.findIndex((_, i) => live[i] && Math.abs(alike[i]) < ALIKE && !sameSound(levels[loudest], levels[i]));
  if (other >= 0) {
    throw new VoiceprintError(
      "channels_differ",
      `${source} holds different sounds in its channels ${loudest + 1} and ${other + 1}, as of two people; ` +
        `say which one to take (channel ${loudest + 1})`,
      { source },
    );
  }
  return channels.map((_, i) => i === loudest || (live[i] && alike[i] >= ALIKE));
}

function covariance(a: Float32Array, b: Float32Array): number {
  let sumA = 0;
  let sumB = 0;
  let products = 0;
  for (let i = 0; i < a.length; i += 1) {
    sumA += a[i];
    sumB += b[i];
    products += a[i] * b[i];
  }
  const count = Math.max(1, a.length);
  return Math.max(products / count - (sumA / count) * (sumB / count), a === b ? 0 : -Infinity);
}

/** Level of each frame in dB below the loudest. */
function levelsOf(channel: Float32Array, frame: number): Float64Array {
  const count = Math.floor(channel.length / frame);
  const powers = Float64Array.from({ length: count }, (_, i) => variance(channel.subarray(i * frame, (i + 1) * frame)));
  const highest = Math.max(1e-20, powers.reduce((most, power) => Math.max(most, power), 0));
  return powers.map((power) => 10 * Math.log10(Math.max(power / highest, 10 ** (FLOOR_DB / 10))));
}

function variance(samples: Float32Array): number {
  return covariance(samples, samples);
}

/** Whether two channels' levels go up and down together. */
function sameSound(a: Float64Array, b: Float64Array): boolean {
  const active = [...a.keys()].filter((i) => a[i] > ACTIVE_DB || b[i] > ACTIVE_DB);
  const mean = (levels: Float64Array) => active.reduce((sum, i) => sum + levels[i], 0) / Math.max(1, active.length);
  const [meanA, meanB] = [mean(a), mean(b)];
  const product = (x: Float64Array, y: Float64Array, mx: number, my: number) =>
    active.reduce((sum, i) => sum + (x[i] - mx) * (y[i] - my), 0);
  const scale = Math.sqrt(product(a, a, meanA, meanA) * product(b, b, meanB, meanB));
  return scale > 1e-9 ? product(a, b, meanA, meanB) / scale >= SAME_SOUND : true;
}

function percentile(values: Float64Array, percent: number): number {
  if (!values.length) return 0;
  const sorted = values.slice().sort();
  const place = (percent / 100) * (sorted.length - 1);
  const below = Math.floor(place);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
}

function indexOfMost(values: readonly number[]): number {
  return values.reduce((best, value, i) => (value > values[best] ? i : best), 0);
}
