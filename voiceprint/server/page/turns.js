// Turns of a conversation: what one person says alone, cut out of the sound.

import { wavOf } from "./recorder.js";

const RATE = 16_000; // Hz, enough for a voiceprint
const SHORTEST = 0.5; // s of a stretch that is worth taking
const MOST = 30; // s that are taken of a person
const CLIP = 6; // s of a clip, or somewhat more

/** Return what of one speaker's turns nobody else's covers, in order: pairs of start and stop in seconds. */
export function alone(turns, speaker) {
  const others = turns.filter((turn) => turn.speaker !== speaker);
  return turns.filter((turn) => turn.speaker === speaker).flatMap((turn) => without(turn, others));
}

function without({ start, stop }, others) {
  const left = [];
  let place = start;
  for (const other of others.toSorted((a, b) => a.start - b.start)) {
    if (other.stop <= place || other.start >= stop) continue;
    left.push([place, other.start]);
    place = Math.max(place, other.stop);
  }
  left.push([place, stop]);
  return left.filter(([from, to]) => to - from >= SHORTEST);
}

/** Divide stretches, the longest first until there is enough, into clips of several seconds. */
export function clipsOf(stretches) {
  let sum = 0;
  const chosen = stretches
    .toSorted(([a, b], [c, d]) => d - c - (b - a))
    .filter(([from, to]) => (sum < MOST ? ((sum += to - from), true) : false))
    .map(([from, to]) => [from, Math.min(to, from + MOST)])
    .toSorted(([a], [b]) => a - b);
  const clips = [[]];
  let length = 0;
  for (const stretch of chosen) {
    if (length >= CLIP) {
      clips.push([]);
      length = 0;
    }
    clips.at(-1).push(stretch);
    length += stretch[1] - stretch[0];
  }
  if (clips.length > 1 && length < CLIP / 2) clips.at(-2).push(...clips.pop());
  return clips.filter((clip) => clip.length);
}

/**
 * Decode a recording, as one channel.
 *
 * @returns {Promise<Float32Array>} at 16 kHz
 * @throws {DOMException} if this browser cannot
 */
export async function decoded(file) {
  const context = new OfflineAudioContext(1, 1, RATE);
  const sound = await context.decodeAudioData(await file.arrayBuffer());
  const mixed = new Float32Array(sound.length);
  for (let channel = 0; channel < sound.numberOfChannels; channel += 1) {
    const samples = sound.getChannelData(channel);
    for (let at = 0; at < mixed.length; at += 1) mixed[at] += samples[at] / sound.numberOfChannels;
  }
  return mixed;
}

/** Cut stretches out of samples; returns them as one wav file. */
export function cut(samples, stretches) {
  const blocks = stretches.map(([from, to]) => {
    const part = samples.subarray(Math.round(from * RATE), Math.round(to * RATE));
    return Int16Array.from(part, (value) => Math.round(32767 * Math.max(-1, Math.min(1, value))));
  });
  return wavOf(blocks, RATE);
}
