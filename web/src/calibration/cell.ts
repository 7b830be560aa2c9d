/** One cell of the calibration's grid: ratios and thresholds for one shape of trial. */

import { probability, quantile } from "./normal.ts";
import { interpolated } from "./interpolation.ts";

/** A cell as it stands in the card: numbers, and a list for each field of its points. */
export interface CellData {
  readonly n_enroll: number;
  readonly seconds: number;
  readonly slope: number;
  readonly offset: number;
  readonly eer: number;
  readonly eer_threshold: number;
  readonly tail: number;
  readonly tail_shape?: number;
  readonly n_target: number;
  readonly n_nontarget: number;
  readonly p_fa: readonly number[];
  readonly p_miss: readonly number[];
  readonly threshold: readonly number[];
  readonly step_scores?: readonly number[];
  readonly step_llrs?: readonly number[];
}

/** Calibration for one number of enrollment clips and one length of test speech. */
export class CalibrationCell {
  readonly #deviates: readonly number[];

  constructor(readonly data: CellData) {
    this.#deviates = data.p_fa.map((rate) => -quantile(rate));
  }

  /** Natural-log likelihood ratio of a score. */
  llr(score: number): number {
    const { slope, offset, step_scores: scores = [], step_llrs: llrs = [] } = this.data;
    if (!scores.length) return slope * score + offset;
    let step = 0;
    while (step + 1 < scores.length && scores[step + 1] <= score) step += 1;
    return llrs[step];
  }

  /** Score threshold for a false-accept rate, above 0 and below 1; below the last point along the tail. */
  threshold(rate: number): number {
    const { p_fa, threshold, tail, tail_shape = 0 } = this.data;
    const last = p_fa.length - 1;
    if (rate < p_fa[last]) return threshold[last] + tail * rise(p_fa[last] / rate, tail_shape);
    return interpolated(-quantile(rate), this.#deviates, threshold);
  }

  /** Miss rate at the threshold of a false-accept rate; below the last point as between the last two. */
  pMiss(rate: number): number {
    const least = 0.5 / this.data.n_target;
    const misses = this.data.p_miss.map((miss) => quantile(Math.min(Math.max(miss, least), 1 - least)));
    const wanted = -quantile(rate);
    const last = misses.length - 1;
    const beyond = wanted - this.#deviates[last];
    let found = interpolated(wanted, this.#deviates, misses);
    if (beyond > 0 && last > 0) {
      found += (beyond * Math.max(0, misses[last] - misses[last - 1])) / (this.#deviates[last] - this.#deviates[last - 1]);
    }
    return probability(found);
  }
}

/** How many scales a quantile of a generalised Pareto law rises when its rate falls so many times. */
function rise(times: number, shape: number): number {
  return shape === 0 ? Math.log(times) : Math.expm1(shape * Math.log(times)) / shape;
}
