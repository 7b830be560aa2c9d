/** ModelCard: what a model folder says about itself, read from `model.json`, which `voiceprint web build` writes. */

import { Calibration, type CalibrationData } from "../calibration/grid.ts";
import { OpenSet, type OpenSetData } from "../calibration/open_set.ts";
import { type OperatingPoint, pointOf } from "../calibration/operating_point.ts";
import { type CountermeasureData } from "../countermeasure/card.ts";
import { VoiceprintError } from "../errors.ts";

/** The version of the layout of `model.json` that this code reads. */
export const FORMAT = 1;

/** The tables of `model.json` that recognising needs: those of `model.toml`, and what serves them here. */
export interface CardData {
  readonly format: number;
  readonly model: { readonly name: string; readonly version: string; readonly dim: number; readonly description: string; readonly licence: string };
  readonly encoder: { readonly min_seconds: number };
  /** File name -> sha256 of the file as it is served here. */
  readonly files: Readonly<Record<string, string>>;
  /** The model whose voiceprints these are: the sha256 of its encoder in full precision. */
  readonly id: string;
  /** How the weights are stored here, and the least cosine with the encoder in full precision. */
  readonly weights: { readonly kind: "int8" | "original"; readonly least_cosine: number | null };
  readonly decision?: Parameters<typeof pointOf>[0];
  readonly calibration?: CalibrationData;
  readonly open_set?: OpenSetData;
  /** Where the folder was built to tell people from machines. */
  readonly countermeasure?: CountermeasureData;
}

/** The data of a model's card. */
export class ModelCard {
  readonly calibration: Calibration | null;
  readonly openSet: OpenSet | null;
  readonly decision: OperatingPoint;

  constructor(readonly data: CardData) {
    if (data.format !== FORMAT) {
      throw new VoiceprintError("model", `model.json has format ${data.format}, this program reads ${FORMAT}; build the site again`);
    }
    this.calibration = data.calibration ? new Calibration(data.calibration) : null;
    this.openSet = data.open_set ? new OpenSet(data.open_set) : null;
    this.decision = pointOf(data.decision);
  }

  /** What a voiceprint belongs to. */
  get id(): string {
    return this.data.id;
  }

  get dim(): number {
    return this.data.model.dim;
  }

  /** Name and version, for people. */
  get title(): string {
    return `${this.data.model.name} ${this.data.model.version}`;
  }
}
