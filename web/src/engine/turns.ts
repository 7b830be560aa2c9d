/** Whether somebody else has begun to speak. */

import type { Decider } from "../calibration/decider.ts";
import { cosine } from "../scoring.ts";

/** Seconds of the latest speech that are compared with the turn before them. */
export const COMPARED = 1;
/** Seconds of new speech between two comparisons. */
export const EVERY = 0.25;
/** Seconds of a turn by which its speaker is known; more of it changes little. */
export const REMEMBERED = 10;

const KNOWN = 1.5; // seconds of a turn before which nothing is compared with it
const IN_A_ROW = 2; // comparisons that must agree: one second alone may be a laugh
const PRIOR = 1 / 40; // chance of a change at a comparison: once in ten seconds of speech
const LIMIT = Math.log(PRIOR / (1 - PRIOR));

interface Known {
  readonly seconds: number;
  readonly embedding: Float32Array;
}

/** Compares the latest speech with the turn before it, by calibrated likelihood ratio. */
export class ChangeDetector {
  #known: Known[] = [];
  #inARow = 0;

  constructor(readonly decider: Decider) {}

  /** Take the embedding of the turn's first so many seconds of speech. */
  remember(seconds: number, embedding: Float32Array): void {
    this.#known.push({ seconds, embedding });
  }

  /** Whether enough of the turn is known before its latest second to compare it with. */
  knowsBefore(seconds: number): boolean {
    return (this.#before(seconds)?.seconds ?? 0) >= KNOWN;
  }

  /** Whether another person speaks, by the embedding of the turn's last second; then nothing is remembered. */
  hasChanged(seconds: number, latest: Float32Array): boolean {
    const before = this.#before(seconds);
    if (!before || before.seconds < KNOWN) return false;
    this.#known = this.#known.filter((known) => known.seconds >= before.seconds);
    const llr = this.decider.llr(cosine(before.embedding, latest), { n_enroll: 1, seconds: COMPARED, snr_db: null });
    this.#inARow = llr !== null && llr < LIMIT ? this.#inARow + 1 : 0;
    if (this.#inARow < IN_A_ROW) return false;
    this.#known = [];
    this.#inARow = 0;
    return true;
  }

  /** What is known of most of the turn before its latest seconds. */
  #before(seconds: number): Known | null {
    return this.#known
      .filter((known) => known.seconds <= seconds - COMPARED)
      .reduce<Known | null>((most, known) => (most && most.seconds >= known.seconds ? most : known), null);
  }
}
