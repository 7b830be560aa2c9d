import assert from "node:assert/strict";
import { test } from "node:test";

import type { CellData } from "../src/calibration/cell.ts";
import { Decider } from "../src/calibration/decider.ts";
import { Calibration } from "../src/calibration/grid.ts";
import { probability, quantile } from "../src/calibration/normal.ts";
import { meanOfNearest } from "../src/calibration/open_set.ts";
import { among, cost, EER, far, pointOf, pointWords, threshold } from "../src/calibration/operating_point.ts";
import { shortfallWords } from "../src/calibration/promise.ts";

const cell = (n_enroll: number, seconds: number, more: Partial<CellData> = {}): CellData => ({
  n_enroll, seconds, slope: 20, offset: -10, eer: 0.02, eer_threshold: 0.4, tail: 0.05, n_target: 1000, n_nontarget: 10_000,
  p_fa: [0.5, 0.1, 0.01], p_miss: [0.001, 0.01, 0.05], threshold: [0.2, 0.4, 0.6], ...more,
});
const grid = (...cells: CellData[]) => new Calibration({ cells });
const near = (found: number, wanted: number, within = 1e-12) => assert.ok(Math.abs(found - wanted) <= within, `${found} is not ${wanted}`);
const clip = (seconds = 2, snr_db: number | null = null) => ({ n_enroll: 1, seconds, snr_db });

test("quantiles and probabilities of the normal distribution", () => {
  near(quantile(0.975), 1.959963984540054, 1e-14);
  near(quantile(1e-9), -5.997807015007686, 1e-13);
  near(probability(1.959963984540054), 0.975, 1e-14);
  near(probability(-4), 3.167124183311986e-5, 1e-18);
  for (const p of [1e-6, 0.001, 0.3, 0.5, 0.8, 0.9999]) near(probability(quantile(p)), p, 1e-13);
});

test("thresholds lie between points, and along the tail below the last", () => {
  const calibration = grid(cell(1, 2));
  assert.equal(calibration.threshold(0.1, clip()), 0.4);
  near(calibration.threshold(0.001, clip()), 0.6 + 0.05 * Math.log(10));
  assert.equal(calibration.threshold(0.7, clip()), 0.2);
});

test("between cells it is linear in the logarithm, outside the nearest counts", () => {
  const calibration = grid(cell(1, 1, { eer_threshold: 0.2 }), cell(1, 4, { eer_threshold: 0.6 }));
  const at = (seconds: number) => calibration.interpolate(({ data }) => data.eer_threshold, { n_enroll: 1, seconds });
  near(at(2), 0.4);
  assert.deepEqual([at(0.3), at(9)], [0.2, 0.6]);
});

test("a grid with a hole is refused", () => {
  assert.throws(() => grid(cell(1, 1), cell(2, 3)), /a full grid/);
});

test("a score at the threshold of least cost has the ratio that was asked for", () => {
  const decider = new Decider(grid(cell(1, 2)));
  near(decider.threshold(clip(), cost(0.5, Math.exp(4))), 0.7);
  near(decider.threshold(clip(), among(cost(0.5, 1), 5)), 0.5 + Math.log(5) / 20);
  assert.equal(decider.llr(0.7, clip()), 4);
});

test("noise in the clip lowers what is asked, and raises what a score says", () => {
  const snr = { gain: 0.01, reference_db: 20, low_db: 0, high_db: 30 };
  const decider = new Decider(new Calibration({ cells: [cell(1, 2)], snr }));
  near(decider.threshold(clip(2, 30), far(0.1)), 0.4 - 0.1);
  near(decider.threshold(clip(2, 99), far(0.1)), 0.4 - 0.1);
  assert.equal(decider.threshold(clip(2, null), far(0.1)), 0.4);
  near(decider.llr(0.7, clip(2, 10)) ?? NaN, 4 - 2);
});

test("isotonic steps: the lowest step that reaches a ratio", () => {
  const decider = new Decider(grid(cell(1, 2, { step_scores: [0, 0.3, 0.6], step_llrs: [-3, 0, 3] })));
  assert.deepEqual([0.2, 0.3, 0.59, 0.6].map((score) => decider.llr(score, clip())), [-3, 0, 0, 3]);
  assert.equal(decider.threshold(clip(), cost(0.5, Math.exp(2))), 0.6);
  assert.ok(decider.threshold(clip(), cost(0.5, Math.exp(9))) > 1);
});

test("a given threshold is taken as it is, and without a calibration nothing else is", () => {
  const decider = new Decider(null);
  assert.equal(decider.threshold(clip(), threshold(0.25)), 0.25);
  assert.throws(() => decider.threshold(clip(), far(0.01)), /never calibrated/);
  assert.equal(decider.llr(0.5, clip()), null);
});

test("a rate that most right people miss is not promised, and what would do is said", () => {
  const decider = new Decider(grid(cell(1, 1, { p_miss: [0.1, 0.7, 0.9] }), cell(1, 3)));
  const shortfall = decider.shortfall(clip(1), far(0.01));
  assert.ok(shortfall && shortfall.needed_seconds && shortfall.needed_seconds > 1 && shortfall.needed_seconds < 3);
  assert.match(shortfallWords(shortfall), /^too short for 1 %: at least \d\.\d s, or ask for (20|50) %$/);
  assert.equal(decider.shortfall(clip(3), far(0.01)), null);
});

test("the rivals are the nearest, whoever they are", () => {
  assert.equal(meanOfNearest([0.4, 0.1, 0.5], 2), 0.45);
  assert.equal(meanOfNearest([0.4], 5), 0.4);
});

test("points of the card, and in words", () => {
  assert.deepEqual(pointOf({}), far(0.01));
  assert.equal(pointOf({ kind: "eer" }), EER);
  assert.equal(pointWords(among(far(0.001), 20)), "false-accept rate 0.1 % among 20 people");
  assert.throws(() => far(0.6), /far is 0.6; it must be a finite number, above 0 and at most 0.5/);
});
