/** What the engine answers: Verification, Identification, Comparison; one trial decided. Fields as the HTTP API has them. */

import type { QualityNote } from "../audio/quality.ts";
import type { Decider, TrialShape } from "../calibration/decider.ts";
import { type OperatingPoint, pointWords } from "../calibration/operating_point.ts";
import type { Shortfall } from "../calibration/promise.ts";
import type { SpoofScore } from "../countermeasure/detector.ts";
import { fixed, signed } from "../text.ts";
import type { Replay } from "./replays.ts";

/** Where a threshold comes from: the caller, or the model's card. */
export type ThresholdSource = "given" | "model";

/** A score, and what was made of it. */
export interface Verdict {
  readonly accepted: boolean;
  readonly score: number;
  readonly llr: number | null;
  readonly threshold: number;
  readonly threshold_source: ThresholdSource;
  /** The decision in a sentence; where score and likelihood seem to disagree, also why. */
  readonly reason: string;
  /** Share of right people's clips to be accepted there; null where it is not known. */
  readonly expected: number | null;
}

interface Answer {
  readonly threshold: number | null;
  readonly threshold_source: ThresholdSource | null;
  readonly model: string;
  readonly reason: string;
  readonly quality_notes: readonly QualityNote[];
  /** Of "not_enough_speech": the rate that is not promised for so short a clip; null where there is too little for any. */
  readonly shortfall: Shortfall | null;
}

/** The answer to "is this the person they claim to be?". */
export interface Verification extends Answer {
  readonly name: string;
  /** Whether the score reaches the threshold and the recording is new; never with too little speech. */
  readonly accepted: boolean;
  /** "replayed": the voice would be accepted, but the recording was enrolled, or accepted before; "spoofed": but it does not sound live. */
  readonly decision: "accepted" | "rejected" | "replayed" | "spoofed" | "not_enough_speech" | "expired" | "opted_out";
  /** Of "replayed": the earlier recording. */
  readonly replay: Replay | null;
  /** How clearly somebody speaks live; null where that was not asked. */
  readonly spoof: SpoofScore | null;
  readonly score: number | null;
  readonly llr: number | null;
  readonly seconds_of_speech: number | null;
}

/** One enrolled person beside an unknown clip. */
export interface Match {
  readonly name: string;
  readonly score: number;
  readonly llr: number | null;
}

/** The answer to "which enrolled person is this, if any?". */
export interface Identification extends Answer {
  /** "replayed": somebody would be identified, by a recording that was enrolled or accepted before; they are the first match. "spoofed": likewise, by speech that does not sound live. */
  readonly decision: "identified" | "unknown" | "replayed" | "spoofed" | "not_enough_speech";
  /** Of "replayed": the earlier recording. */
  readonly replay: Replay | null;
  /** How clearly somebody speaks live; null where that was not asked. */
  readonly spoof: SpoofScore | null;
  readonly name: string | null;
  readonly matches: readonly Match[];
  readonly seconds_of_speech: number;
  /** Share of such clips of enrolled people that are named rightly; null where it is not known. */
  readonly expected: number | null;
}

/** The answer to "do two clips hold the same voice?". */
export interface Comparison extends Omit<Answer, "quality_notes"> {
  readonly same: boolean;
  readonly decision: "same" | "different" | "not_enough_speech";
  readonly score: number | null;
  readonly llr: number | null;
  readonly seconds_of_speech: readonly [number, number];
  readonly quality_notes: readonly [readonly QualityNote[], readonly QualityNote[]];
}

/** Decide one trial. */
export function decide(score: number, shape: TrialShape, point: OperatingPoint, decider: Decider): Verdict {
  const threshold = decider.threshold(shape, point);
  const miss = decider.pMiss(shape, point);
  const accepted = score >= threshold;
  const llr = decider.llr(score, shape);
  const needed = decider.llr(threshold, shape);
  return {
    accepted,
    score,
    llr,
    threshold,
    threshold_source: point.kind === "threshold" ? "given" : "model",
    reason: reasonOf({ accepted, score, threshold, llr, needed, point }),
    expected: miss === null ? null : 1 - miss,
  };
}

function reasonOf({ accepted, score, threshold, llr, needed, point }: {
  accepted: boolean;
  score: number;
  threshold: number;
  llr: number | null;
  needed: number | null;
  point: OperatingPoint;
}): string {
  const reaches = accepted ? "reaches" : "is below";
  const said = `score ${fixed(score, 3)} ${reaches} the threshold ${fixed(threshold, 3)}`;
  if (llr === null || needed === null || accepted === llr >= 0) return said;
  const likelier = llr >= 0 ? "the same person than another" : "another person than the same";
  const asks = point.kind === "threshold" ? "this threshold" : `the operating point (${pointWords(point)})`;
  return `${said}; it is likelier ${likelier} (log-likelihood ratio ${signed(llr)}), but ${asks} asks for ${signed(needed)} or more`;
}
