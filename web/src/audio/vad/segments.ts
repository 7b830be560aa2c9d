/** Windows that were judged one after the other become segments of speech. */

/** Samples (32 ms) that are judged at a time. */
export const WINDOW = 512;

// In windows of 32 ms.
const MIN_SPEECH = 5; // a shorter burst is a click or a knock
const HANGOVER = 3; // added on both sides: consonants fade in and out below the threshold
const MAX_GAP = 2 * HANGOVER; // a pause up to this belongs to the speech around it
const DOUBT = 312; // 10 s: no speech begins longer before the window that makes it sure

// Speech begins at the upper probability and lasts while it stays above the lower one.
const BEGIN = 0.5;
const LAST = 0.35;

/** A stretch of speech: its first sample, and the one after the last, at 16 kHz. */
export interface Segment {
  readonly start: number;
  readonly stop: number;
}

/** Joins windows of speech over short pauses, drops bursts, and keeps about 0.1 s on both sides. */
export class SegmentTracker {
  #windows = 0;
  #run: number | null = null; // where the windows above the lower probability begin
  #sure = false; // whether they reached the upper one
  #past: readonly [number, number] | null = null; // speech that a new run may join

  /** How many windows were judged. */
  get windows(): number {
    return this.#windows;
  }

  /** The first sample that may still become part of a segment which is not closed. */
  get earliest(): number {
    return Math.max(0, (this.#past ? this.#past[0] : this.#nextStart) - HANGOVER) * WINDOW;
  }

  /** Take the next window's probability; returns the segment that is sure to have ended now, if any. */
  add(probability: number): Segment | null {
    if (probability >= LAST) this.#goOn(probability >= BEGIN);
    else this.#pause();
    this.#windows += 1;
    if (!this.#past || this.#nextStart - this.#past[1] <= MAX_GAP) return null;
    const [first, last] = this.#past;
    this.#past = null;
    return segment(first, last, this.#windows * WINDOW);
  }

  /** The segment that is not closed yet as it would be if the sound ended now, after so many samples. */
  current(length: number): Segment | null {
    if (this.#run !== null && this.#sure) return segment(this.#run, this.#windows, length);
    return this.#past && segment(this.#past[0], this.#past[1], length);
  }

  /** The earliest window at which speech may begin that is not known yet, or that lasts. */
  get #nextStart(): number {
    if (this.#run === null) return this.#windows;
    return this.#sure ? this.#run : Math.max(this.#run, this.#windows - DOUBT);
  }

  #goOn(sure: boolean): void {
    this.#run ??= this.#windows;
    if (!sure || this.#sure) return;
    this.#run = this.#past ? this.#past[0] : this.#nextStart; // near enough, or it would have been closed
    this.#sure = true;
    this.#past = null;
  }

  #pause(): void {
    if (this.#run !== null && this.#sure) this.#past = [this.#run, this.#windows];
    this.#run = null;
    this.#sure = false;
  }
}

/** The segments of a clip of so many samples. */
export function toSegments(probabilities: ArrayLike<number>, length: number): Segment[] {
  const tracker = new SegmentTracker();
  const found = Array.from(probabilities, (probability) => tracker.add(probability));
  return [...found, tracker.current(length)].filter((each) => each !== null);
}

/** Widen windows [first, last) by the hangover; null where they are too few. */
function segment(first: number, last: number, length: number): Segment | null {
  if (last - first < MIN_SPEECH) return null;
  return { start: Math.max(0, first - HANGOVER) * WINDOW, stop: Math.min(length, (last + HANGOVER) * WINDOW) };
}
