/** Two people in one clip: its stretches compared with each other, by the model's calibration. */

import { type Clip, timeOf } from "../audio/clips.ts";
import { SAMPLE_RATE } from "../audio/waveform.ts";
import type { SpeakerModel } from "../model/speaker_model.ts";
import { cosine, normalize, sumOf } from "../scoring.ts";
import { fixed, signed } from "../text.ts";

const FALSE_ALARM = 0.03; // how often a clip of one person may be taken for one of two, at the most
const STRETCH = 3; // seconds of speech that are compared
const LENGTH = STRETCH * SAMPLE_RATE;
const HOP = 1; // seconds between the beginnings of two stretches
const MOST = 200; // stretches of a clip; further apart in a longer one

interface Suspicion {
  readonly first: number; // the stretches that are unlike, by their numbers
  readonly second: number;
  readonly llr: number;
}

/**
 * Look for a second person in a clip; returns a sentence, or null where one person may have said it all, or
 * there are under 6 s of speech.
 *
 * Compared are every two stretches, and all before with all behind each change that there may be. A likelihood
 * ratio of r or less comes up with a probability of at most r where one person speaks, so the least one of n
 * comparisons with at most n r; either kind of comparison has half of the bound.
 */
export async function findTwoVoices(clip: Clip, model: SpeakerModel): Promise<string | null> {
  const starts = startsOf(clip.speech.length);
  if (starts[starts.length - 1] - starts[0] < LENGTH || !starts.length || !model.decider.calibration) return null;
  const embeddings: Float32Array[] = [];
  for (const start of starts) embeddings.push(await model.embed(clip.speech.subarray(start, start + LENGTH)));
  const kinds = [pairs(embeddings, starts, clip, model), changes(embeddings, starts, clip, model)];
  const chances = kinds.flatMap((found) => found.map((each) => ({ ...each, chance: 2 * found.length * Math.exp(each.llr) })));
  const worst = chances.reduce((a, b) => (b.chance < a.chance ? b : a));
  if (worst.chance > FALSE_ALARM) return null;
  const [first, second] = [worst.first, worst.second].map((place) => fixed(timeOf(clip, starts[place]), 0));
  return `two voices: the one at ${first} s is unlike the one at ${second} s (log-likelihood ratio ${signed(worst.llr)})`;
}

function pairs(embeddings: readonly Float32Array[], starts: readonly number[], clip: Clip, model: SpeakerModel): Suspicion[] {
  const shape = { n_enroll: 1, seconds: STRETCH, snr_db: clip.quality.snr_db };
  const found: Suspicion[] = [];
  for (let first = 0; first < starts.length; first += 1) {
    for (let second = first + 1; second < starts.length; second += 1) {
      if (starts[second] - starts[first] < LENGTH) continue;
      found.push({ first, second, llr: model.decider.llr(cosine(embeddings[first], embeddings[second]), shape) ?? 0 });
    }
  }
  return found;
}

/** Compare all before a change with all behind it, for every change between two stretches. */
function changes(embeddings: readonly Float32Array[], starts: readonly number[], clip: Clip, model: SpeakerModel): Suspicion[] {
  const last = starts[starts.length - 1];
  return starts.flatMap((start, first) => {
    const second = starts.findIndex((place) => place >= start + LENGTH);
    if (second < 0) return [];
    const spans = [start - starts[0] + LENGTH, last - starts[second] + LENGTH].map((samples) => samples / SAMPLE_RATE);
    const score = cosine(normalize(sumOf(embeddings.slice(0, first + 1))), normalize(sumOf(embeddings.slice(second))));
    const n_enroll = Math.max(1, Math.round(Math.max(...spans) / STRETCH));
    const shape = { n_enroll, seconds: Math.min(...spans), snr_db: clip.quality.snr_db };
    return [{ first, second, llr: model.decider.llr(score, shape) ?? 0 }];
  });
}

/** Where stretches begin in so many samples of speech, the last one reaching to its end. */
function startsOf(samples: number): number[] {
  const last = samples - LENGTH;
  if (last < 0) return [];
  const count = Math.min(MOST, 1 + Math.round(last / (HOP * SAMPLE_RATE)));
  return Array.from({ length: count }, (_, i) => (count === 1 ? 0 : Math.round((i * last) / (count - 1))));
}
