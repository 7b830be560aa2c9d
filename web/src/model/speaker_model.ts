/** SpeakerModel: opens a model folder that is served as static files; waveforms -> unit-length embeddings. */

import { Detector } from "../audio/vad/speech.ts";
import { SAMPLE_RATE } from "../audio/waveform.ts";
import { Decider } from "../calibration/decider.ts";
import { sha256 } from "../checksum.ts";
import { CountermeasureCard } from "../countermeasure/card.ts";
import { Countermeasure } from "../countermeasure/detector.ts";
import { fault, VoiceprintError } from "../errors.ts";
import { type Network, openNetwork, tensor, useRuntime } from "../onnx_runtime.ts";
import { centroid, normalize } from "../scoring.ts";
import { type CardData, ModelCard } from "./card.ts";

const CARD = "model.json";
const ENCODER = "encoder.onnx";
const SPEECH = "speech.onnx";
const COHORT = "cohort.f32";
const COUNTERMEASURE = "countermeasure.onnx";
const MIN_SAMPLES = SAMPLE_RATE / 10; // shortest waveform that is embedded
const MAX_WINDOW = 30 * SAMPLE_RATE; // longest stretch that meets the encoder at once

/** Where a model folder and the runtime are. */
export interface ModelPlace {
  /** Address of the folder that holds `model.json`. */
  readonly model: string | URL;
  /** Address of onnxruntime-web's `ort-wasm-simd-threaded.wasm`; where a bundler finds it unless given. */
  readonly runtime?: string | URL;
}

/** A speaker encoder, its speech detector and its thresholds. */
export class SpeakerModel {
  readonly #encoder: Network;

  private constructor(
    readonly card: ModelCard,
    encoder: Network,
    readonly detector: Detector,
    readonly decider: Decider,
    /** By which people are told from machines; null where the folder holds none. */
    readonly countermeasure: Countermeasure | null,
  ) {
    this.#encoder = encoder;
  }

  /**
   * Fetch a model folder, and check that its files are those that its card describes.
   *
   * @throws VoiceprintError `model` if a file is missing, damaged or cannot be run.
   */
  static async open({ model, runtime }: ModelPlace): Promise<SpeakerModel> {
    if (runtime) useRuntime(runtime);
    const folder = String(model).replace(/\/*$/, "/");
    const data = JSON.parse(new TextDecoder().decode(await fetched(folder + CARD))) as CardData;
    const card = new ModelCard(data);
    const read = async (name: string) => checked(name, data.files[name], await fetched(folder + name));
    const [encoder, speech, voices] = await Promise.all([read(ENCODER), read(SPEECH), COHORT in data.files ? read(COHORT) : null]);
    const cohort = voices && cohortOf(voices, card.dim);
    const detector = new Detector(await openNetwork(speech));
    const decider = new Decider(card.calibration, card.openSet, cohort);
    const table = data.countermeasure;
    const countermeasure = table ? new Countermeasure(new CountermeasureCard(table), await openNetwork(await read(COUNTERMEASURE))) : null;
    return new SpeakerModel(card, await openNetwork(encoder), detector, decider, countermeasure);
  }

  /** What voiceprints belong to. */
  get id(): string {
    return this.card.id;
  }

  /**
   * Embed a clip, whole. One longer than 30 s is cut into equal windows, whose embeddings are averaged; one
   * shorter than the encoder's shortest input is repeated up to it.
   *
   * @param samples At 16 kHz, in [-1, 1].
   * @returns Of unit length.
   * @throws VoiceprintError `audio` if there are fewer than 0.1 s, or all is silence.
   */
  async embed(samples: Float32Array): Promise<Float32Array> {
    if (samples.length < MIN_SAMPLES) throw fault("<array>", `holds ${samples.length} samples; give at least ${MIN_SAMPLES} (0.1 s)`);
    if (samples.every((sample) => sample === 0)) throw fault("<array>", "is digital silence, there is nothing to embed");
    const shortest = Math.ceil(this.card.data.encoder.min_seconds * SAMPLE_RATE);
    const long = repeated(samples, Math.max(MIN_SAMPLES, shortest));
    const windows = Math.ceil(long.length / MAX_WINDOW);
    const length = Math.floor(long.length / windows);
    const found: Float32Array[] = [];
    for (let window = 0; window < windows; window += 1) {
      found.push(await this.#encode(long.subarray(window * length, (window + 1) * length)));
    }
    return found.length === 1 ? found[0] : centroid(found);
  }

  async #encode(window: Float32Array): Promise<Float32Array> {
    const out = await this.#encoder.run({ [this.#encoder.inputs[0]]: tensor(window.slice(), [1, window.length]) });
    const [embedding] = Object.values(out);
    if (embedding.length !== this.card.dim) {
      throw new VoiceprintError("model", `the encoder gave ${embedding.length} numbers; the card says ${this.card.dim}`);
    }
    return normalize(embedding);
  }
}

async function fetched(address: string): Promise<Uint8Array> {
  const answer = await fetch(address).catch((error: unknown) => {
    throw new VoiceprintError("model", `${address} cannot be fetched: ${String(error)}`, { address });
  });
  if (!answer.ok) throw new VoiceprintError("model", `${address} cannot be fetched: ${answer.status} ${answer.statusText}`, { address });
  return new Uint8Array(await answer.arrayBuffer());
}

async function checked(name: string, wanted: string | undefined, bytes: Uint8Array): Promise<Uint8Array> {
  const found = await sha256(bytes);
  if (found !== wanted) throw new VoiceprintError("model", `${name} is damaged, or belongs to another model: build the site again`);
  return bytes;
}

/** The voices of a cohort, of unit length, row by row. */
function cohortOf(bytes: Uint8Array, dim: number): Float32Array[] {
  const numbers = new Float32Array(bytes.slice().buffer);
  if (numbers.length % dim) throw new VoiceprintError("model", `${COHORT} does not go with ${dim} dimensions: build the site again`);
  return Array.from({ length: numbers.length / dim }, (_, row) => numbers.subarray(row * dim, (row + 1) * dim));
}

function repeated(samples: Float32Array, shortest: number): Float32Array {
  if (samples.length >= shortest) return samples;
  return Float32Array.from({ length: shortest }, (_, i) => samples[i % samples.length]);
}
