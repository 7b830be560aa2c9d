/** Decider: the one way from a score to a likelihood ratio and a verdict. */

import type { CalibrationCell } from "./cell.ts";
import type { Calibration, Sides } from "./grid.ts";
import { meanOfNearest, type OpenSet } from "./open_set.ts";
import type { OperatingPoint } from "./operating_point.ts";
import { findShortfall, type Shortfall } from "./promise.ts";
import { VoiceprintError } from "../errors.ts";
import { cosine } from "../scoring.ts";

/** What a score is of, besides two voices. */
export interface TrialShape extends Sides {
  /** Signal-to-noise ratio of the test clip; null where it is not known. */
  readonly snr_db: number | null;
  /** In a search, what `Decider.rivals` makes of everybody's scores but the best; null where not known. */
  readonly rivals?: number | null;
}

/**
 * Thresholds, likelihood ratios and verdicts of one model.
 *
 * A given threshold is taken as it is. Every other one comes from the calibration, less what the noise in the
 * test clip adds to a score. A score at the threshold is accepted.
 */
export class Decider {
  constructor(
    readonly calibration: Calibration | null,
    readonly openSet: OpenSet | null = null,
    readonly cohort: readonly Float32Array[] | null = null,
  ) {}

  /** Mean score of the nearest of these people and of the model's cohort; null where they do not count. */
  rivals(embedding: Float32Array, others: readonly number[]): number | null {
    if (!this.openSet || !this.cohort) return null;
    return meanOfNearest([...others, ...this.cohort.map((voice) => cosine(voice, embedding))], this.openSet.nearest);
  }

  /** Lowest score that is accepted. */
  threshold(shape: TrialShape, point: OperatingPoint): number {
    if (point.kind === "threshold") return point.score;
    const calibration = this.#calibrated();
    return this.#limit(calibration, shape, point) - calibration.snrShift(shape.snr_db);
  }

  /** Natural-log likelihood ratio of same over different person; null without a calibration. */
  llr(score: number, shape: TrialShape): number | null {
    if (!this.calibration) return null;
    return this.calibration.llr(score + this.calibration.snrShift(shape.snr_db), shape);
  }

  /** Say what one trial's clip lacks for the false-accept rate to be promised. */
  shortfall(shape: TrialShape, point: OperatingPoint): Shortfall | null {
    return point.kind === "far" && this.calibration ? findShortfall(this.calibration, point.p_fa, shape) : null;
  }

  /** Of the clips of an enrolled person, the share that does not reach the threshold; null where not known. */
  pMiss(shape: TrialShape, point: OperatingPoint): number | null {
    if (point.kind !== "far" || !this.calibration) return null;
    const { p_fa: rate, people } = point;
    const miss = (grid: Calibration, at: number) => grid.pMisses(at, shape.n_enroll, [shape.seconds])[0];
    if (!this.openSet || !this.cohort) return miss(this.calibration, rate / people);
    const share = this.openSet.share(people);
    return (1 - share) * miss(this.calibration, rate) + share * miss(this.openSet.grid, rate);
  }

  #calibrated(): Calibration {
    if (!this.calibration) throw new VoiceprintError("not_calibrated", "the model has no thresholds, for it was never calibrated");
    return this.calibration;
  }

  /** Thresholds of the card, for test clips of the reference noise. */
  #limit(calibration: Calibration, shape: TrialShape, point: OperatingPoint): number {
    if (point.kind === "cost") {
      return calibration.scoreAt(Math.log((point.c_fa * point.people * (1 - point.p_target)) / point.p_target), shape);
    }
    if (point.kind === "eer") return calibration.interpolate((cell) => equalErrors(cell, point.people), shape);
    if (point.kind === "threshold") return point.score;
    if (this.openSet && shape.rivals != null && point.people > 1) {
      // With few people, thresholds over rivals go over into those of a claim.
      const share = this.openSet.share(point.people);
      const claim = calibration.threshold(point.p_fa, shape);
      return (1 - share) * claim + share * this.openSet.threshold(point.p_fa, shape.rivals, shape);
    }
    return calibration.threshold(point.p_fa / point.people, shape);
  }
}

/** The threshold at the EER; among more people, that for the EER divided by their number. */
function equalErrors(cell: CalibrationCell, people: number): number {
  if (people === 1) return cell.data.eer_threshold;
  const rate = Math.max(cell.data.eer, 1 / cell.data.n_nontarget) / people;
  return Math.max(cell.data.eer_threshold, cell.threshold(rate));
}
