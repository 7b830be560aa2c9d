/**
 * The calibration that a model's card carries: a grid over enrollment clips and seconds of test speech.
 * What lies between cells is interpolated, what lies outside takes the nearest.
 */

import { CalibrationCell, type CellData } from "./cell.ts";
import { argumentError } from "../errors.ts";

/** Shifts of scores by the noise in the test clip, as the card has them. */
export interface SnrTerm {
  readonly gain: number;
  readonly reference_db: number;
  readonly low_db: number;
  readonly high_db: number;
}

/** `[calibration]` of the card. */
export interface CalibrationData {
  readonly cells: readonly CellData[];
  readonly snr?: SnrTerm;
}

/** What a score is of: clips in the voiceprint, and seconds of speech in the test clip. */
export interface Sides {
  readonly n_enroll: number;
  readonly seconds: number;
}

interface Corner {
  readonly share: number;
  readonly cell: number;
}

/** Log-likelihood ratios and thresholds for any voiceprint and clip. */
export class Calibration {
  readonly cells: readonly CalibrationCell[];
  readonly nEnroll: readonly number[];
  readonly seconds: readonly number[];
  readonly #snr: SnrTerm | undefined;

  constructor(data: CalibrationData) {
    this.cells = [...data.cells]
      .sort((a, b) => a.n_enroll - b.n_enroll || a.seconds - b.seconds)
      .map((cell) => new CalibrationCell(cell));
    this.nEnroll = rising(data.cells.map((cell) => cell.n_enroll));
    this.seconds = rising(data.cells.map((cell) => cell.seconds));
    this.#snr = data.snr;
    if (!this.cells.length || this.cells.length !== this.nEnroll.length * this.seconds.length) {
      throw argumentError("calibration", this.cells.length, "a full grid of cells");
    }
  }

  /** Score at or above which to accept at a false-accept rate. */
  threshold(rate: number, sides: Sides): number {
    return this.interpolate((cell) => cell.threshold(rate), sides);
  }

  /** Miss rates at the thresholds of a false-accept rate, for several lengths of speech. */
  pMisses(rate: number, nEnroll: number, lengths: readonly number[]): number[] {
    const values = this.cells.map((cell) => cell.pMiss(rate));
    return lengths.map((seconds) => total(this.#corners({ n_enroll: nEnroll, seconds }), (cell) => values[cell]));
  }

  /** Natural-log likelihood ratio of a score. */
  llr(score: number, sides: Sides): number {
    return total(this.#corners(sides), (cell) => this.cells[cell].llr(score));
  }

  /** Lowest score whose log-likelihood ratio is at least `llr`; above every cosine where none is. */
  scoreAt(llr: number, sides: Sides): number {
    const near = this.#corners(sides).filter(({ share }) => share > 0);
    const steps = rising(near.flatMap(({ cell }) => this.cells[cell].data.step_scores ?? []));
    if (!steps.length) {
      const atZero = this.llr(0, sides);
      return (llr - atZero) / (this.llr(1, sides) - atZero);
    }
    return steps.find((score) => this.llr(score, sides) >= llr) ?? Math.max(steps[steps.length - 1], 1) + Number.EPSILON;
  }

  /** What to add to a score for the noise in the test clip; 0 where it is not known. */
  snrShift(snrDb: number | null): number {
    if (!this.#snr || snrDb === null) return 0;
    const { gain, reference_db: reference, low_db: low, high_db: high } = this.#snr;
    return gain * (Math.min(Math.max(snrDb, low), high) - reference);
  }

  /** Interpolate a number that each cell has; bilinear in the logarithms. */
  interpolate(value: (cell: CalibrationCell) => number, sides: Sides): number {
    return total(this.#corners(sides), (cell) => value(this.cells[cell]));
  }

  #corners({ n_enroll: clips, seconds }: Sides): Corner[] {
    if (!(clips >= 1 && Number.isFinite(clips) && seconds > 0 && Number.isFinite(seconds))) {
      throw argumentError("trial", { n_enroll: clips, seconds }, "of at least 1 clip and above 0 s");
    }
    const rows = shares(this.nEnroll, clips);
    const columns = shares(this.seconds, seconds);
    return rows.flatMap((row) =>
      columns.map((column) => ({ share: row.share * column.share, cell: row.cell * this.seconds.length + column.cell })),
    );
  }
}

function total(corners: readonly Corner[], value: (cell: number) => number): number {
  return corners.reduce((sum, { share, cell }) => sum + share * value(cell), 0);
}

/** Shares and places of a value's neighbours on a rising axis, linear in the logarithm; clamped. */
function shares(axis: readonly number[], value: number): [Corner, Corner] {
  const place = Math.min(Math.max(value, axis[0]), axis[axis.length - 1]);
  const above = axis.findIndex((knot) => knot >= place);
  const below = axis[above] === place ? above : above - 1;
  const share = above === below ? 0 : Math.log(place / axis[below]) / Math.log(axis[above] / axis[below]);
  return [{ share: 1 - share, cell: below }, { share, cell: above }];
}

const rising = (values: readonly number[]): number[] => [...new Set(values)].sort((a, b) => a - b);
