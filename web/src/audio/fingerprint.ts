/**
 * Fingerprints: by which a recording is known again, encoded anew, cut, over a telephone, a little faster.
 *
 * What is looked at is how the spectrum moves: patches of 0.1 s of speech, as levels of 24 bands, go through a
 * cosine transform in both directions; of each coefficient only the sign is stored, and beside them the pitch, which
 * decides where the signs leave a doubt. The numbers are those of
 * `voiceprint.audio.fingerprint`, where they are explained: a fingerprint made here is known again there.
 */

import { argumentError } from "../errors.ts";
import { hann, Spectrum } from "./fourier.ts";
import { pitchOf } from "./pitch.ts";
import type { Segment } from "./vad/segments.ts";
import { SAMPLE_RATE } from "./waveform.ts";

/** Likeness from which on two recordings are one. */
export const SAME_RECORDING = 1;

const ENOUGH = 2.8; // patches by which agreement in one stretch exceeds what is demanded
const LEAST = 1.2; // or so many, where they are nearly all of a short recording
const NEARLY_ALL = 0.76;
// Where the pitch is one, less agreement does:
const LOOSELY = 0.5; // agreement that is demanded then
const ENOUGH_LOOSELY = 4; // patches beyond it
const SHARE_LOOSELY = 0.28; // and their share of all that could be
const VOICED = 14; // patches with a pitch in both
const ONE_PITCH = 0.5; // and how many of them have the same one
const PITCH_STEPS = 1; // by which one pitch may differ

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
const PITCHED = 2 ** 31; // added to that number: behind the signs stands the pitch of each patch
const MIDDLE = PATCH / 2 - 1; // the frame of a patch whose pitch is that of the patch

/** Rows of numbers one after the other, and the first frame. */
interface Rows {
  readonly first: number;
  readonly rows: Float32Array;
}

/** A stretch of speech: levels and the pitch of each frame. */
interface Piece extends Rows {
  readonly pitch: Uint8Array;
}

/** How closely fingerprints are looked at. */
interface Look {
  readonly speeds: readonly number[];
  readonly phases: readonly number[];
  readonly demanded: number;
}

/** How the spectrum of a recording moves where somebody speaks: log levels of the bands each 10 ms, and the pitch. */
export class SoundTrace {
  constructor(readonly pieces: readonly Piece[]) {}

  /** What is stored each 40 ms: 24 signs, of which no levels or phases can be made, and the pitch. */
  fingerprint(): Uint8Array<ArrayBuffer> {
    const runs = this.pieces.flatMap(({ first, rows, pitch }) => {
      const late = behind(first, STRIDE);
      const signs = signsOf(coefficients(rows.subarray(late * BANDS)));
      const heights = Uint8Array.from({ length: signs.length / BYTES }, (_, patch) => pitch[late + MIDDLE + patch * STRIDE]);
      return signs.length ? [{ first: (first + late) / STRIDE, signs, heights }] : [];
    });
    const size = (run: { signs: Uint8Array; heights: Uint8Array }) => HEAD + run.signs.length + run.heights.length;
    const content = new Uint8Array(runs.reduce((sum, run) => sum + size(run), 0));
    const view = new DataView(content.buffer);
    let at = 0;
    for (const run of runs) {
      view.setUint32(at, run.first, true);
      view.setUint32(at + 4, run.heights.length + PITCHED, true);
      content.set(run.signs, at + HEAD);
      content.set(run.heights, at + HEAD + run.signs.length);
      at += size(run);
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
    const most = some.#most(DEMANDED);
    const found = new Float64Array(fingerprints.length);
    near.forEach((index, place) => {
      const nearlyAll = Math.min(closely[place] / LEAST, closely[place] / (most * NEARLY_ALL));
      found[index] = Math.max(closely[place] / ENOUGH, nearlyAll);
    });
    const doubtful = near.filter((index) => found[index] < SAME_RECORDING);
    const byPitch = some.#likenessByPitch(doubtful.map((index) => fingerprints[index]));
    doubtful.forEach((index, place) => (found[index] = Math.max(found[index], byPitch[place])));
    return found;
  }

  /** Compare by less agreement, which counts where the pitch of that stretch is one. */
  #likenessByPitch(fingerprints: readonly Uint8Array[]): Float64Array {
    const agreeing = this.#agreement(fingerprints, { speeds: [1], phases: [0, 1, 2, 3], demanded: LOOSELY });
    const most = this.#most(LOOSELY);
    return agreeing.map((sum, place) => {
      const likeness = Math.min(sum / ENOUGH_LOOSELY, sum / most / SHARE_LOOSELY);
      return likeness >= SAME_RECORDING && this.#hasPitchOf(fingerprints[place]) ? likeness : 0;
    });
  }

  /** Whether the pitch is that of a fingerprint, in the stretch where they agree longest. */
  #hasPitchOf(fingerprint: Uint8Array): boolean {
    const known = joined([fingerprint]);
    const pitch = this.#pitch();
    const alike = longestStretch(this.#moves(1), known, LOOSELY).flatMap(([row, patch]) => {
      const [ours, theirs] = [pitch[row], known.pitch[patch]];
      return ours && theirs ? [Math.abs(ours - theirs) <= PITCH_STEPS] : [];
    });
    return alike.length >= VOICED && alike.filter(Boolean).length >= ONE_PITCH * alike.length;
  }

  /** By how many patches agreement could exceed what is demanded. */
  #most(demanded: number): number {
    return Math.max((sizeOf(this.#moves(1)) * (1 - demanded)) / (SIGNS * STRIDE), 1e-9);
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
    for (const { first, rows, pitch } of this.pieces) {
      for (let excerpt = 0; excerpt < EXCERPTS; excerpt += 1) {
        const begin = Math.floor((excerpt * (total - EXCERPT)) / (EXCERPTS - 1)) - passed;
        const start = Math.max(0, begin);
        const stop = Math.min(rows.length / BANDS, begin + EXCERPT);
        if (stop - start < PATCH) continue;
        pieces.push({ first: first + start, rows: rows.subarray(start * BANDS, stop * BANDS), pitch: pitch.subarray(start, stop) });
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

  /** The pitch of each patch of `#moves(1)`; 0 in pauses. */
  #pitch(): Uint8Array {
    const pieces = this.pieces.filter(({ pitch }) => pitch.length >= PATCH);
    const start = pieces[0].first;
    const heights = new Uint8Array(pieces.reduce((end, { first, pitch }) => Math.max(end, first + pitch.length), start) - start);
    for (const { first, pitch } of pieces) heights.set(pitch.subarray(MIDDLE), first - start);
    return heights;
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
    const analysed = analyse(speech.subarray(begin + late, begin + stop - start));
    begin += stop - start;
    if (analysed.pitch.length >= PATCH) powers.push({ first: (start + late) / HOP, ...analysed });
  }
  const count = powers.reduce((sum, { rows }) => sum + rows.length, 0);
  const mean = powers.reduce((sum, { rows }) => sum + rows.reduce((part, power) => part + power, 0), 0) / count + 1e-12;
  return new SoundTrace(powers.map((piece) => ({ ...piece, rows: piece.rows.map((power) => Math.log(power / mean + FLOOR)) })));
}

/** Whether bytes are such as `SoundTrace.fingerprint` gives. */
export function isFingerprint(content: Uint8Array): boolean {
  return runsOf(content) !== null;
}

/** How many steps later the next multiple is. */
function behind(place: number, step: number): number {
  return (step - (place % step)) % step;
}

/** The power in each band, and the pitch, frame by frame. */
function analyse(samples: Float32Array): { rows: Float32Array; pitch: Uint8Array } {
  const frames = Math.max(0, Math.floor((samples.length - WINDOW) / HOP) + 1);
  const spectrum = new Spectrum(hann(WINDOW));
  const powers = new Float32Array(frames * BANDS);
  const pitch = new Uint8Array(frames);
  for (let frame = 0; frame < frames; frame += 1) {
    const bins = spectrum.power(samples, frame * HOP);
    pitch[frame] = pitchOf(bins);
    TRIANGLES.forEach(({ first, weights }, band) => {
      let sum = 0;
      for (let i = 0; i < weights.length; i += 1) sum += weights[i] * bins[first + i];
      powers[frame * BANDS + band] = sum;
    });
  }
  return { rows: powers, pitch };
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
function scaleOf(pieces: readonly Rows[]): Float64Array {
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
  /** 0 where nothing is voiced, and where an older fingerprint does not tell it. */
  readonly pitch: Uint8Array;
}

/** A stretch of a fingerprint. */
interface Run {
  readonly pause: number; // patches before it, of which long ones are shortened
  readonly signs: Uint8Array;
  readonly pitch: Uint8Array;
}

/** Read a fingerprint; null where it is none. */
function runsOf(content: Uint8Array): Run[] | null {
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  const runs: Run[] = [];
  let end: number | null = null;
  for (let at = 0; at < content.length; ) {
    if (at + HEAD > content.length) return null;
    const [first, length] = [view.getUint32(at, true), view.getUint32(at + 4, true)];
    const count = length % PITCHED;
    const middle = at + HEAD + count * BYTES;
    const stop = length < PITCHED ? middle : middle + count;
    if (stop > content.length || !count || (end !== null && first < end)) return null;
    const pitch = length < PITCHED ? new Uint8Array(count) : content.subarray(middle, stop);
    runs.push({ pause: end === null ? 0 : Math.min(first - end, LONGEST_PAUSE), signs: content.subarray(at + HEAD, middle), pitch });
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
  const [speech, pitch] = [new Uint8Array(patches), new Uint8Array(patches)];
  const known = { signs: new Uint8Array(patches * BYTES), owners: new Int32Array(patches), speech, pitch };
  let at = 0;
  read.forEach((runs, owner) => {
    const begin = at;
    for (const run of runs) {
      at += run.pause;
      known.signs.set(run.signs, at * BYTES);
      pitch.set(run.pitch, at);
      speech.fill(1, at, at + run.pitch.length);
      at += run.pitch.length;
    }
    known.owners.fill(owner, begin, at);
    known.owners[at] = -1;
    at += 1;
  });
  return known;
}

/** The best sum of agreement that ends at each patch, over all alignments (Kadane's algorithm). */
function longestAgreement(moves: Float32Array, phase: number, known: Known, demanded: number): Float32Array {
  const best = new Float32Array(known.owners.length);
  addUp(moves, phase, known, demanded, (_, patch, sum) => {
    if (sum > best[patch]) best[patch] = sum;
  });
  return best;
}

/** Which patches agree in the best stretch: pairs of a row of moves and a patch. */
function longestStretch(moves: Float32Array, known: Known, demanded: number): [number, number][] {
  const best = { sum: 0, row: 0, patch: 0, length: 0 };
  for (let phase = 0; phase < STRIDE; phase += 1) {
    const lengths = new Int32Array(known.owners.length + 1);
    addUp(moves, phase, known, demanded, (row, patch, sum) => {
      lengths[patch + 1] = sum > 0 ? lengths[patch] + 1 : 0;
      if (sum > best.sum) Object.assign(best, { sum, row, patch, length: lengths[patch + 1] });
    });
  }
  return Array.from({ length: best.length }, (_, back) => [best.row - back * STRIDE, best.patch - back]);
}

/** Add up agreement along all alignments, from every fourth row on; tells each sum that ends somewhere, the last patch first. */
function addUp(
  moves: Float32Array,
  phase: number,
  { signs, owners, speech }: Known,
  demanded: number,
  tell: (row: number, patch: number, sum: number) => void,
): void {
  const running = new Float32Array(owners.length + 1);
  const sums = new Float32Array(BYTES * 256);
  for (let row = phase; row * SIGNS < moves.length; row += STRIDE) {
    const values = moves.subarray(row * SIGNS, (row + 1) * SIGNS);
    const loss = demanded * sizeOf(values);
    sumByBytes(values, sums);
    for (let patch = owners.length - 1; patch >= 0; patch -= 1) {
      const place = patch * BYTES;
      let sum = running[patch];
      if (owners[patch] < 0) sum += APART;
      else if (speech[patch]) sum += sums[signs[place]] + sums[256 + signs[place + 1]] + sums[512 + signs[place + 2]] - loss;
      if (sum < 0) sum = 0;
      running[patch + 1] = sum;
      tell(row, patch, sum);
    }
  }
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
