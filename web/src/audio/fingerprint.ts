/**
 * Fingerprints: by which a recording is known again, encoded anew, cut, over a telephone, a little faster.
 *
 * What is looked at is how the spectrum moves: patches of 0.1 s of speech, as levels of 24 bands, go through a
 * cosine transform in both directions; of each coefficient only the sign is stored. The numbers are those of
 * `voiceprint.audio.fingerprint`, where they are explained: a fingerprint made here is known again there.
 */

import { argumentError } from "../errors.ts";
import { hann, Spectrum } from "./fourier.ts";
import type { Segment } from "./vad/segments.ts";
import { SAMPLE_RATE } from "./waveform.ts";

/** Likeness from which on two recordings are one. */
export const SAME_RECORDING = 1;

const ENOUGH = 2.8; // patches by which agreement in one stretch exceeds what is demanded
const LEAST = 1.2; // or so many, where they are nearly all of a short recording
const NEARLY_ALL = 0.76;

const HOP = SAMPLE_RATE / 100; // samples between frames: 10 ms
const WINDOW = 512; // samples of a frame
const BANDS = 24;
const LOW = 300; // Hz: what a telephone passes
const HIGH = 3400;
const FLOOR = 1e-3; // of the mean level: what is 30 dB below it says nothing
const PATCH = 10; // frames
const ACROSS = 8; // orders of the transform over the bands, from 0 on
const ALONG = 3; // and over time, from 1 on; order 0 is what does not move, such as hum
const SIGNS = ACROSS * ALONG;
const BYTES = SIGNS / 8; // of a patch in a fingerprint
const STRIDE = 4; // frames between patches whose signs are stored
const SPEEDS = [0.98, 0.99, 1, 1.01, 1.02];
const STILL = 1; // size of coefficients that hum and rounding have; those of speech are 3 and more
const LOUDEST = 1.5; // of the root mean square of a coefficient: more of it weighs no more
const NEAR = 1.5; // patches that agree roughly, at the same speed, below which no more is tried
const EXCERPTS = 5; // of a recording that is longer, so many pieces are compared
const EXCERPT = 300; // frames of each
const DEMANDED = 0.68; // agreement, from -1 to 1, below which frames speak against a match
const ROUGHLY = 0.45;
const APART = -1e6; // between two fingerprints, where no agreement passes
const LONGEST_PAUSE = 25; // patches (1 s): over a longer one, agreement is not added up
const HEAD = 8; // bytes of a stretch's head: where it begins, and how many patches it has

/** A stretch of speech: its first frame, and rows of numbers one after the other. */
interface Piece {
  readonly first: number;
  readonly rows: Float32Array;
}

/** How closely fingerprints are looked at. */
interface Look {
  readonly speeds: readonly number[];
  readonly phases: readonly number[];
  readonly demanded: number;
}

/** How the spectrum of a recording moves where somebody speaks: log levels of the bands each 10 ms. */
export class SoundTrace {
  constructor(readonly pieces: readonly Piece[]) {}

  /** What is stored: 24 signs each 40 ms. Neither levels nor phases can be made of them. */
  fingerprint(): Uint8Array<ArrayBuffer> {
    const runs = this.pieces.flatMap(({ first, rows }) => {
      const late = behind(first, STRIDE);
      const signs = signsOf(coefficients(rows.subarray(late * BANDS)));
      return signs.length ? [{ first: (first + late) / STRIDE, signs }] : [];
    });
    const content = new Uint8Array(runs.reduce((sum, { signs }) => sum + HEAD + signs.length, 0));
    const view = new DataView(content.buffer);
    let at = 0;
    for (const { first, signs } of runs) {
      view.setUint32(at, first, true);
      view.setUint32(at + 4, signs.length / BYTES, true);
      content.set(signs, at + HEAD);
      at += HEAD + signs.length;
    }
    return content;
  }

  /**
   * Compare with stored fingerprints.
   *
   * @returns Of each how far it agrees in one stretch, at least 0; one recording from `SAME_RECORDING` on.
   */
  likeness(fingerprints: readonly Uint8Array[]): Float64Array {
    const some = this.#excerpts();
    const roughly = some.#agreement(fingerprints, { speeds: [1], phases: [0, 2], demanded: ROUGHLY });
    const near = [...roughly.keys()].filter((index) => roughly[index] >= NEAR);
    const nearer = near.map((index) => fingerprints[index]);
    const closely = some.#agreement(nearer, { speeds: SPEEDS, phases: [0, 1, 2, 3], demanded: DEMANDED });
    const most = (sizeOf(some.#moves(1)) * (1 - DEMANDED)) / (SIGNS * STRIDE);
    const found = new Float64Array(fingerprints.length);
    near.forEach((index, place) => {
      const nearlyAll = Math.min(closely[place] / LEAST, closely[place] / Math.max(most * NEARLY_ALL, 1e-9));
      found[index] = Math.max(closely[place] / ENOUGH, nearlyAll);
    });
    return found;
  }

  /** For how many patches, about, each fingerprint agrees in one stretch beyond what others do. */
  #agreement(fingerprints: readonly Uint8Array[], { speeds, phases, demanded }: Look): Float64Array {
    const known = joined(fingerprints);
    const best = new Float64Array(fingerprints.length);
    for (const speed of known.owners.length ? speeds : []) {
      const moves = this.#moves(speed);
      for (const phase of phases) {
        const longest = longestAgreement(moves, phase, known, demanded);
        known.owners.forEach((owner, patch) => {
          if (owner >= 0 && longest[patch] > best[owner]) best[owner] = longest[patch];
        });
      }
    }
    return best.map((sum) => sum / SIGNS);
  }

  /** Some of it, evenly spread, where it is long: that bounds what a comparison takes. */
  #excerpts(): SoundTrace {
    const total = this.pieces.reduce((sum, { rows }) => sum + rows.length / BANDS, 0);
    if (total <= EXCERPTS * EXCERPT) return this;
    const pieces: Piece[] = [];
    let passed = 0;
    for (const { first, rows } of this.pieces) {
      for (let excerpt = 0; excerpt < EXCERPTS; excerpt += 1) {
        const begin = Math.floor((excerpt * (total - EXCERPT)) / (EXCERPTS - 1)) - passed;
        const start = Math.max(0, begin);
        const stop = Math.min(rows.length / BANDS, begin + EXCERPT);
        if (stop - start >= PATCH) pieces.push({ first: first + start, rows: rows.subarray(start * BANDS, stop * BANDS) });
      }
      passed += rows.length / BANDS;
    }
    return new SoundTrace(pieces);
  }

  /** Weighted coefficients, row by row, as if played at another speed; 0 in pauses. */
  #moves(speed: number): Float32Array {
    const pieces = this.pieces
      .map(({ first, rows }) => ({ first: Math.round(first * speed), rows: coefficients(stretched(rows, speed)) }))
      .filter(({ rows }) => rows.length);
    if (!pieces.length) return new Float32Array(0);
    const scale = scaleOf(pieces);
    const start = pieces[0].first;
    const end = pieces.reduce((latest, { first, rows }) => Math.max(latest, first + rows.length / SIGNS), start);
    const moves = new Float32Array((end - start) * SIGNS);
    for (const { first, rows } of pieces) {
      const weighted = rows.map((value, i) => Math.min(LOUDEST, Math.max(-LOUDEST, value / scale[i % SIGNS])));
      moves.set(weighted, (first - start) * SIGNS);
    }
    return moves;
  }
}

/**
 * Analyse the speech of a recording.
 *
 * @param speech Its speech with margins, all stretches joined.
 * @param stretches Where they lie in the recording.
 */
export function traceOf(speech: Float32Array, stretches: readonly Segment[]): SoundTrace {
  const powers: Piece[] = [];
  let begin = 0;
  for (const { start, stop } of stretches) {
    const late = behind(start, HOP);
    const rows = powersOf(speech.subarray(begin + late, begin + stop - start));
    begin += stop - start;
    if (rows.length >= PATCH * BANDS) powers.push({ first: (start + late) / HOP, rows });
  }
  const count = powers.reduce((sum, { rows }) => sum + rows.length, 0);
  const mean = powers.reduce((sum, { rows }) => sum + rows.reduce((part, power) => part + power, 0), 0) / count + 1e-12;
  return new SoundTrace(powers.map(({ first, rows }) => ({ first, rows: rows.map((power) => Math.log(power / mean + FLOOR)) })));
}

/** Whether bytes are such as `SoundTrace.fingerprint` gives. */
export function isFingerprint(content: Uint8Array): boolean {
  return runsOf(content) !== null;
}

/** How many steps later the next multiple is. */
function behind(place: number, step: number): number {
  return (step - (place % step)) % step;
}

/** The power in each band, frame by frame. */
function powersOf(samples: Float32Array): Float32Array {
  const frames = Math.max(0, Math.floor((samples.length - WINDOW) / HOP) + 1);
  const spectrum = new Spectrum(hann(WINDOW));
  const powers = new Float32Array(frames * BANDS);
  for (let frame = 0; frame < frames; frame += 1) {
    const bins = spectrum.power(samples, frame * HOP);
    TRIANGLES.forEach(({ first, weights }, band) => {
      let sum = 0;
      for (let i = 0; i < weights.length; i += 1) sum += weights[i] * bins[first + i];
      powers[frame * BANDS + band] = sum;
    });
  }
  return powers;
}

/** Triangular bands, evenly spaced in mel: the first bin of each, and the weights from there on. */
const TRIANGLES = triangles();

function triangles(): { first: number; weights: number[] }[] {
  const mel = (hertz: number) => 1127 * Math.log1p(hertz / 700);
  const step = (mel(HIGH) - mel(LOW)) / (BANDS + 1);
  const edges = Array.from({ length: BANDS + 2 }, (_, i) => 700 * Math.expm1((mel(LOW) + i * step) / 1127));
  return Array.from({ length: BANDS }, (_, band) => {
    const [low, centre, high] = edges.slice(band, band + 3);
    const first = Math.ceil((low * WINDOW) / SAMPLE_RATE);
    const last = Math.floor((high * WINDOW) / SAMPLE_RATE);
    const raw = Array.from({ length: last - first + 1 }, (_, i) => {
      const hertz = ((first + i) * SAMPLE_RATE) / WINDOW;
      return Math.max(0, Math.min((hertz - low) / (centre - low), (high - hertz) / (high - centre)));
    });
    const sum = raw.reduce((all, weight) => all + weight, 0);
    return { first, weights: raw.map((weight) => weight / sum) };
  });
}

/** The transform over bands, order by order. */
const OVER_BANDS = Array.from({ length: ACROSS }, (_, order) =>
  Array.from({ length: BANDS }, (_, band) => Math.cos((Math.PI * order * (band + 0.5)) / BANDS)),
);

/** The transform over time, order by order, which is free of what does not move. */
const OVER_TIME = Array.from({ length: ALONG }, (_, order) => {
  const window = hann(PATCH + 2).subarray(1, -1);
  const wave = Array.from(window, (weight, frame) => weight * Math.cos((Math.PI * (order + 1) * (frame + 0.5)) / PATCH));
  const mean = wave.reduce((sum, value) => sum + value, 0) / PATCH;
  return wave.map((value) => value - mean);
});

/** Transform each patch: a row of coefficients for each frame that a patch begins with. */
function coefficients(levels: Float32Array): Float32Array {
  const frames = levels.length / BANDS;
  if (frames < PATCH) return new Float32Array(0);
  const across = new Float32Array(frames * ACROSS);
  for (let frame = 0; frame < frames; frame += 1) {
    for (let order = 0; order < ACROSS; order += 1) {
      let sum = 0;
      for (let band = 0; band < BANDS; band += 1) sum += levels[frame * BANDS + band] * OVER_BANDS[order][band];
      across[frame * ACROSS + order] = sum;
    }
  }
  const found = new Float32Array((frames - PATCH + 1) * SIGNS);
  for (let at = 0; at < found.length; at += 1) {
    const start = Math.floor(at / SIGNS) * ACROSS + Math.floor((at % SIGNS) / ALONG);
    const wave = OVER_TIME[at % ALONG];
    let sum = 0;
    for (let frame = 0; frame < PATCH; frame += 1) sum += across[start + frame * ACROSS] * wave[frame];
    found[at] = sum;
  }
  return found;
}

/** The signs of every fourth row, a bit each, the first one highest. */
function signsOf(rows: Float32Array): Uint8Array {
  const patches = Math.ceil(rows.length / SIGNS / STRIDE);
  return Uint8Array.from({ length: patches * BYTES }, (_, i) => {
    const at = Math.floor(i / BYTES) * STRIDE * SIGNS + 8 * (i % BYTES);
    let byte = 0;
    for (let bit = 0; bit < 8; bit += 1) byte = (byte << 1) | (rows[at + bit] >= 0 ? 1 : 0);
    return byte;
  });
}

/** Levels of the same sound with its times multiplied by a speed. */
function stretched(levels: Float32Array, speed: number): Float32Array {
  if (speed === 1) return levels;
  const frames = levels.length / BANDS;
  const found = new Float32Array((Math.floor((frames - 1) * speed) + 1) * BANDS);
  for (let at = 0; at < found.length; at += 1) {
    const time = Math.floor(at / BANDS) / speed;
    const before = Math.min(Math.floor(time), frames - 2);
    const share = time - before;
    const place = before * BANDS + (at % BANDS);
    found[at] = levels[place] * (1 - share) + levels[place + BANDS] * share;
  }
  return found;
}

/** Root mean square of each coefficient, and somewhat more. */
function scaleOf(pieces: readonly Piece[]): Float64Array {
  const squares = new Float64Array(SIGNS);
  for (const { rows } of pieces) for (let i = 0; i < rows.length; i += 1) squares[i % SIGNS] += rows[i] ** 2;
  const count = pieces.reduce((sum, { rows }) => sum + rows.length / SIGNS, 0);
  return squares.map((sum) => Math.sqrt(sum / count) + STILL);
}

function sizeOf(moves: Float32Array): number {
  return moves.reduce((sum, value) => sum + Math.abs(value), 0);
}

/** Fingerprints one after the other, patch by patch. */
interface Known {
  /** Three bytes of signs a patch; 0 where there are none. */
  readonly signs: Uint8Array;
  /** Whose it is; -1 between two. */
  readonly owners: Int32Array;
  /** 1 where somebody speaks, 0 in a pause. */
  readonly speech: Uint8Array;
}

/** A stretch of a fingerprint. */
interface Run {
  readonly pause: number; // patches before it, of which long ones are shortened
  readonly signs: Uint8Array;
}

/** Read a fingerprint; null where it is none. */
function runsOf(content: Uint8Array): Run[] | null {
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  const runs: Run[] = [];
  let end: number | null = null;
  for (let at = 0; at < content.length; ) {
    if (at + HEAD > content.length) return null;
    const [first, count] = [view.getUint32(at, true), view.getUint32(at + 4, true)];
    const stop = at + HEAD + count * BYTES;
    if (stop > content.length || !count || (end !== null && first < end)) return null;
    runs.push({ pause: end === null ? 0 : Math.min(first - end, LONGEST_PAUSE), signs: content.subarray(at + HEAD, stop) });
    at = stop;
    end = first + count;
  }
  return runs;
}

function joined(fingerprints: readonly Uint8Array[]): Known {
  const read = fingerprints.map((content) => {
    const runs = runsOf(content);
    if (!runs) throw argumentError("fingerprints", `${content.length} bytes`, "such as a recording's trace gives");
    return runs;
  });
  const patches = read.flat().reduce((sum, { pause, signs }) => sum + pause + signs.length / BYTES, read.length);
  const known = { signs: new Uint8Array(patches * BYTES), owners: new Int32Array(patches), speech: new Uint8Array(patches) };
  let at = 0;
  read.forEach((runs, owner) => {
    const begin = at;
    for (const { pause, signs } of runs) {
      at += pause;
      known.signs.set(signs, at * BYTES);
      known.speech.fill(1, at, at + signs.length / BYTES);
      at += signs.length / BYTES;
    }
    known.owners.fill(owner, begin, at);
    known.owners[at] = -1;
    at += 1;
  });
  return known;
}

/** The best sum of agreement that ends at each patch, over all alignments (Kadane's algorithm). */
function longestAgreement(moves: Float32Array, phase: number, { signs, owners, speech }: Known, demanded: number): Float32Array {
  const running = new Float32Array(owners.length + 1);
  const best = new Float32Array(owners.length);
  const sums = new Float32Array(BYTES * 256);
  for (let at = phase * SIGNS; at < moves.length; at += STRIDE * SIGNS) {
    const row = moves.subarray(at, at + SIGNS);
    const loss = demanded * sizeOf(row);
    sumByBytes(row, sums);
    for (let patch = owners.length - 1; patch >= 0; patch -= 1) {
      const place = patch * BYTES;
      let sum = running[patch];
      if (owners[patch] < 0) sum += APART;
      else if (speech[patch]) sum += sums[signs[place]] + sums[256 + signs[place + 1]] + sums[512 + signs[place + 2]] - loss;
      if (sum < 0) sum = 0;
      running[patch + 1] = sum;
      if (sum > best[patch]) best[patch] = sum;
    }
  }
  return best;
}

/** What a row sums up to by the signs of each byte that there may be. */
function sumByBytes(row: Float32Array, sums: Float32Array): void {
  for (let byte = 0; byte < BYTES; byte += 1) {
    const [place, first] = [byte * 256, byte * 8];
    sums[place] = -row.subarray(first, first + 8).reduce((sum, value) => sum + value, 0);
    for (let bits = 1; bits < 256; bits += 1) {
      const lowest = 31 - Math.clz32(bits & -bits);
      sums[place + bits] = sums[place + (bits & (bits - 1))] + 2 * row[first + 7 - lowest];
    }
  }
}
