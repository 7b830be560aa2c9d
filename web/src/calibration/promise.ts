/** Which rates are promised for short clips: those that are held without rejecting most right people. */

import type { Calibration, Sides } from "./grid.ts";
import { fixed, general } from "../text.ts";

/** The share of right people's clips that may be rejected where a false-accept rate is promised. */
const MOST_MISSED = 0.5;
const PROMISED_RATES = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5];
const STEP = 0.1; // seconds

/** A false-accept rate that is not promised for so short a clip. */
export interface Shortfall {
  /** The rate that was asked for. */
  readonly far: number;
  /** Seconds of speech from which on it is promised; null where it is for no length. */
  readonly needed_seconds: number | null;
  /** The lowest rate that is promised for the clip as it is; null where none is. */
  readonly held_far: number | null;
}

/** Say in words what a clip lacks, and what would do. */
export function shortfallWords({ far, needed_seconds: needed, held_far: held }: Shortfall): string {
  const advice = [
    ...(needed === null ? [] : [`at least ${fixed(needed, 1)} s`]),
    ...(held === null ? [] : [`ask for ${general(100 * held)} %`]),
  ].join(", or ");
  return `too short for ${general(100 * far)} %: ${advice || "enroll more clips"}`;
}

/** Say what a trial lacks for a false-accept rate to be promised; null where it is. */
export function findShortfall(calibration: Calibration, far: number, { n_enroll, seconds }: Sides): Shortfall | null {
  const needed = shortest(calibration, far, n_enroll);
  if (needed !== null && seconds >= needed) return null;
  const held = PROMISED_RATES.find((rate) => rate > far && seconds >= (shortest(calibration, rate, n_enroll) ?? Infinity));
  return { far, needed_seconds: needed, held_far: held ?? null };
}

/** Seconds from which on a rate is held; null if it is not at the longest. */
function shortest(calibration: Calibration, far: number, nEnroll: number): number | null {
  const least = calibration.seconds[0];
  const most = calibration.seconds[calibration.seconds.length - 1];
  const count = Math.max(0, Math.ceil((most - least) / STEP));
  const lengths = [...Array.from({ length: count }, (_, i) => least + i * STEP), most];
  const broken = calibration.pMisses(far, nEnroll, lengths).findLastIndex((miss) => miss > MOST_MISSED);
  if (broken === -1) return least;
  return broken === lengths.length - 1 ? null : Math.round(100 * lengths[broken + 1]) / 100;
}
