/** OperatingPoint: where to decide, as a false-accept rate, a score, equal error rates or a cost. */

import { checkNumber, argumentError } from "../errors.ts";
import { general } from "../text.ts";

/** The false-accept rate of decisions where neither the caller nor the model's card says otherwise. */
export const DEFAULT_FAR = 0.01;

/** Highest false-accept rate that may be asked for. */
export const MAX_FAR = 0.5;

/** What a threshold is to achieve; `people` is how many a clip is compared with. */
export type OperatingPoint = { readonly people: number } & (
  | { readonly kind: "far"; readonly p_fa: number }
  | { readonly kind: "threshold"; readonly score: number }
  | { readonly kind: "eer" }
  | { readonly kind: "cost"; readonly p_target: number; readonly c_fa: number }
);

/** Decide so that an impostor is accepted at this rate, above 0 and at most `MAX_FAR`. */
export function far(rate: number): OperatingPoint & { kind: "far" } {
  checkNumber("far", rate, { above: 0, most: MAX_FAR });
  return { kind: "far", p_fa: rate, people: 1 };
}

/** Decide at this very score, from -1 to 1, whatever the trial. */
export function threshold(score: number): OperatingPoint {
  checkNumber("threshold", score, { least: -1, most: 1 });
  return { kind: "threshold", score, people: 1 };
}

/** Decide at the least expected cost. */
export function cost(pTarget: number, cFa: number): OperatingPoint {
  checkNumber("c_fa", cFa, { above: 0 });
  return { kind: "cost", p_target: pTarget, c_fa: cFa, people: 1 };
}

/** Decide where false accepts and false rejects are equally frequent. */
export const EER: OperatingPoint = { kind: "eer", people: 1 };

/** The point of a search among so many people: somebody not enrolled gets any name as rarely. */
export function among<Point extends OperatingPoint>(point: Point, people: number): Point {
  return { ...point, people };
}

/** Read `[decision]` of a card. */
export function pointOf(data: { kind?: string; p_fa?: number; p_target?: number; c_fa?: number } = {}): OperatingPoint {
  const { kind = "far", p_fa = DEFAULT_FAR, p_target = 0.5, c_fa = 1 } = data;
  if (kind === "far") return far(p_fa);
  if (kind === "eer") return EER;
  if (kind === "cost") return cost(p_target, c_fa);
  throw argumentError("decision", kind, "far, eer or cost");
}

/** Say a point in words. */
export function pointWords(point: OperatingPoint): string {
  const others = point.people === 1 ? "" : ` among ${point.people} people`;
  if (point.kind === "far") return `false-accept rate ${general(100 * point.p_fa)} %${others}`;
  if (point.kind === "eer") return `equal error rates${others}`;
  if (point.kind === "threshold") return `score ${general(point.score)}`;
  return `least cost at a prior of ${general(point.p_target)}, a false accept costing ${general(point.c_fa)} misses${others}`;
}
