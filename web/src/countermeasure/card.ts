/** CountermeasureCard: where a countermeasure decides; a table of `model.json`. */

import { checkNumber } from "../errors.ts";
import { interpolated } from "../calibration/interpolation.ts";

/** The table, as `voiceprint web build --spoof-far` writes it. */
export interface CountermeasureData {
  readonly name: string;
  readonly version: string;
  /** The share of people that may be rejected, which the folder was built for. */
  readonly spoof_far: number;
  readonly slope: number;
  readonly offset: number;
  readonly per_log_second: number;
  /** Shares of people rejected for which thresholds were fitted, rising. */
  readonly rates: readonly number[];
  /** Seconds of speech for which they were, rising. */
  readonly seconds: readonly number[];
  /** For each length those of the rates. */
  readonly thresholds: readonly (readonly number[])[];
}

/** Thresholds and log-likelihood ratios of a countermeasure. */
export class CountermeasureCard {
  constructor(readonly data: CountermeasureData) {}

  /** Refuse a share of people rejected that no threshold was fitted for. */
  checkRate(spoofFar: number): void {
    const { rates } = this.data;
    checkNumber("spoof_far", spoofFar, { least: rates[0], most: rates[rates.length - 1] });
  }

  /** The score below which a clip is not taken as live; between rates and lengths over the logarithm. */
  threshold(spoofFar: number, seconds: number): number {
    this.checkRate(spoofFar);
    const { rates, seconds: lengths, thresholds } = this.data;
    const ofRate = thresholds.map((row) => interpolated(Math.log(spoofFar), rates.map(Math.log), row));
    return interpolated(Math.log(Math.max(seconds, 1e-3)), lengths.map(Math.log), ofRate);
  }

  /** How much likelier a score is of somebody who speaks than of a machine, as a logarithm. */
  llr(score: number, seconds: number): number {
    const { slope, offset, per_log_second: perLogSecond, seconds: lengths } = this.data;
    const length = Math.log(Math.min(Math.max(seconds, lengths[0]), lengths[lengths.length - 1]));
    return slope * score + perLogSecond * length + offset;
  }
}
