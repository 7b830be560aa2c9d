/** OpenSet: where a search among many people decides, by the margin of the best over its rivals. */

import { Calibration, type CalibrationData, type Sides } from "./grid.ts";

/** `[open_set]` of the card: a grid, and how rivals count. */
export interface OpenSetData extends CalibrationData {
  readonly people: number;
  readonly gain: number;
  readonly nearest: number;
}

/** Thresholds for the margin of the best of several people over their rivals. */
export class OpenSet {
  readonly grid: Calibration;
  readonly nearest: number;
  readonly #gain: number;
  readonly #people: number;

  constructor(data: OpenSetData) {
    this.grid = new Calibration(data);
    this.nearest = data.nearest;
    this.#gain = data.gain;
    this.#people = data.people;
  }

  /** How far so many people are from a claim (0) to a search that the grid holds for (1). */
  share(people: number): number {
    return Math.min(1, Math.log(people) / Math.log(this.#people));
  }

  /** Score at or above which the best of many people is named. */
  threshold(rate: number, rivals: number, sides: Sides): number {
    return this.grid.threshold(rate, sides) + this.#gain * rivals;
  }
}

/** Mean of the highest scores; of all where there are fewer. */
export function meanOfNearest(scores: ArrayLike<number>, nearest: number): number {
  const best = Float64Array.from(scores).sort().slice(-nearest);
  return best.reduce((sum, score) => sum + score, 0) / best.length;
}
