/** Wald's sequential probability ratio test: decide as soon as the evidence suffices, and not before. */

import type { Decider } from "../calibration/decider.ts";
import { among, cost, MAX_FAR, type OperatingPoint } from "../calibration/operating_point.ts";
import { checkNumber } from "../errors.ts";
import { decide, type Verdict } from "./decisions.ts";
import type { Compared } from "./questions.ts";

/** How often a right claim may be rejected before the latest moment, where the caller does not say. */
export const DEFAULT_MISS = 0.05;

/**
 * Accept, reject or go on, by the likelihood ratio of the speech so far.
 *
 * With false-accept rate a and miss rate b, a claim is accepted from a likelihood ratio of (1 - b) / a on, and
 * rejected below b / (1 - a). In between it takes more speech. Among n people a is divided by n.
 */
export class SequentialTest {
  readonly #upper: OperatingPoint;
  readonly #lower: OperatingPoint;

  /** @param promised The false-accept rate that holds whenever the test stops, and where the latest moment decides. */
  constructor(far: number, miss: number, readonly promised: OperatingPoint) {
    checkNumber("far", far, { above: 0, most: MAX_FAR });
    checkNumber("miss", miss, { above: 0, most: MAX_FAR });
    this.#upper = cost(0.5, (1 - miss) / far);
    this.#lower = cost(0.5, miss / (1 - far));
  }

  /** Decide before the latest moment; null while more speech is needed. */
  decide(trial: Compared, decider: Decider): Verdict | null {
    const acceptance = this.acceptance(trial, decider);
    if (acceptance.accepted) return acceptance;
    const rejection = decide(trial.score, trial.shape, this.#lower, decider);
    return rejection.accepted ? null : rejection;
  }

  /** Say whether a score suffices to accept, and which would. */
  acceptance(trial: Compared, decider: Decider): Verdict {
    return decide(trial.score, trial.shape, among(this.#upper, trial.people), decider);
  }

  /** Decide at the latest moment, as any clip is decided. */
  decideFinally(trial: Compared, decider: Decider): Verdict {
    return decide(trial.score, trial.shape, among(this.promised, trial.people), decider);
  }
}
