/** Clip: one recording as the engine uses it, and the samples of it that are embedded. */

import { sha256 } from "../checksum.ts";
import { type ClipQuality, Loudness, qualityNotes, type QualityNote, qualityOf, type QualityReport } from "./quality.ts";
import { type ClipSource, readAudio, type ReadOptions } from "./read.ts";
import type { Segment } from "./vad/segments.ts";
import type { Detector } from "./vad/speech.ts";
import { joined, SAMPLE_RATE, type Waveform } from "./waveform.ts";

/** Seconds of speech below which nobody is verified, identified or enrolled by a clip. */
export const MIN_SPEECH = 0.5;

/** Seconds on both sides of speech that are embedded with it. */
export const MARGIN = 0.2;

/** A clip that was read and searched for speech. */
export interface Clip {
  readonly source: string;
  /** Hash of its samples; empty while it is still being spoken. */
  readonly sha256: string;
  readonly quality: ClipQuality;
  /** The speech, and what lies up to `MARGIN` from it: what is embedded. */
  readonly speech: Float32Array;
  /** Where it lies in the clip; empty where it is of several. */
  readonly stretches: readonly Segment[];
  readonly original_rate: number;
  /** The recordings that it was pooled of; empty where it is one. */
  readonly parts: readonly Clip[];
}

/** The recordings that a clip is made of: itself, unless it was pooled. */
export function recordingsOf(clip: Clip): readonly Clip[] {
  return clip.parts.length ? clip.parts : [clip];
}

/** Read a clip and find the speech in it. */
export async function readClip(source: ClipSource, detector: Detector, options: ReadOptions = {}): Promise<Clip> {
  return clipOf(await readAudio(source, options), detector);
}

/** Find the speech in a waveform. */
export async function clipOf(waveform: Waveform, detector: Detector): Promise<Clip> {
  const { samples } = waveform;
  const segments = await detector.segments(samples);
  const stretches = widened(segments, 0, samples.length);
  return {
    source: waveform.source,
    sha256: await sha256(samples),
    quality: measured(waveform, segments),
    speech: joined(stretches.map(({ start, stop }) => samples.subarray(start, stop))),
    stretches,
    original_rate: waveform.original_rate,
    parts: [],
  };
}

function measured({ samples, clipped }: Waveform, segments: readonly Segment[]): ClipQuality {
  const speech = new Loudness();
  const noise = new Loudness();
  let before = 0;
  for (const { start, stop } of [...segments, { start: samples.length, stop: samples.length }]) {
    const [rest, spoken] = [Loudness.of(samples.subarray(before, start)), Loudness.of(samples.subarray(start, stop))];
    noise.add(rest.energy, rest.samples);
    speech.add(spoken.energy, spoken.samples);
    before = stop;
  }
  return qualityOf(samples.length / SAMPLE_RATE, speech, noise, clipped);
}

/** What about a clip makes a verdict less sure; empty for a good one. */
export function notesOf(clip: Clip): QualityNote[] {
  return qualityNotes(clip.quality, clip.speech, clip.original_rate);
}

/** What was measured of a clip, with the notes. */
export function reportOf(clip: Clip): QualityReport {
  return { ...clip.quality, quality_notes: notesOf(clip) };
}

/** Where in the clip a sample of its speech lies, in seconds. */
export function timeOf(clip: Clip, sample: number): number {
  let left = sample;
  for (const { start, stop } of clip.stretches) {
    if (left < stop - start) return (start + left) / SAMPLE_RATE;
    left -= stop - start;
  }
  return clip.quality.seconds;
}

/** Join the speech of several clips of one voice into one, as if it had been said at once. */
export async function poolClips(clips: readonly Clip[]): Promise<Clip> {
  const once = [...new Map(clips.map((clip) => [clip.sha256, clip])).values()];
  if (once.length === 1) return once[0];
  const qualities = once.map((clip) => clip.quality);
  const sum = (value: (quality: ClipQuality) => number) => qualities.reduce((all, quality) => all + value(quality), 0);
  const mean = (value: (quality: ClipQuality) => number | null) => {
    const known = qualities.filter((quality) => value(quality) !== null);
    const total = known.reduce((all, quality) => all + quality.seconds_of_speech, 0);
    return total > 0 ? known.reduce((all, quality) => all + (value(quality) ?? 0) * quality.seconds_of_speech, 0) / total : null;
  };
  return {
    source: once.map((clip) => clip.source).join(", "),
    sha256: await sha256(new TextEncoder().encode(once.map((clip) => clip.sha256).join(""))),
    quality: {
      seconds: sum((quality) => quality.seconds),
      seconds_of_speech: sum((quality) => quality.seconds_of_speech),
      level_dbfs: mean((quality) => quality.level_dbfs),
      clipped: mean((quality) => quality.clipped) ?? 0,
      snr_db: mean((quality) => quality.snr_db),
    },
    speech: joined(once.map((clip) => clip.speech)),
    stretches: [],
    original_rate: Math.min(...once.map((clip) => clip.original_rate)),
    parts: once,
  };
}

/** Add a margin to both sides of each segment, and join those that meet. */
export function widened(segments: readonly Segment[], start: number, stop: number): Segment[] {
  const reach = Math.round(MARGIN * SAMPLE_RATE);
  const wide: Segment[] = [];
  for (const segment of segments) {
    const first = Math.max(start, segment.start - reach);
    const last = Math.min(stop, segment.stop + reach);
    const before = wide[wide.length - 1];
    if (before && first <= before.stop) wide[wide.length - 1] = { start: before.start, stop: last };
    else wide.push({ start: first, stop: last });
  }
  return wide;
}
