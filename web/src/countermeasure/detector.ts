/** Countermeasure: scores how much speech sounds spoken by somebody, not made or played by a machine. */

import { SAMPLE_RATE } from "../audio/waveform.ts";
import { argumentError, checkNumber, VoiceprintError } from "../errors.ts";
import { type Network, tensor } from "../onnx_runtime.ts";
import { fixed, signed } from "../text.ts";
import type { CountermeasureCard } from "./card.ts";

const KINDS = ["live", "synthetic", "loudspeaker"] as const; // in the order of the logits
const SHORTEST = 0.2; // seconds of speech below which nothing can be said
const LONGEST = 8 * SAMPLE_RATE; // samples that are judged at once; longer speech is judged in parts

/** How much speech sounds spoken by somebody. */
export interface SpoofScore {
  /** Log-odds of the network; the higher, the more it sounds live. */
  readonly score: number;
  /** Calibrated natural-log likelihood ratio of live against made or played by a machine. */
  readonly llr: number;
  /** Live if the score reaches it. */
  readonly threshold: number;
  /** What it sounds most like; null where it is live. */
  readonly kind: "synthetic" | "loudspeaker" | null;
}

/** A countermeasure's network, and its card. */
export class Countermeasure {
  constructor(
    readonly card: CountermeasureCard,
    readonly network: Network,
  ) {}

  /**
   * Score speech.
   *
   * @param speech At 16 kHz, with its margins, as `Clip.speech` has it; 0.2 s at least.
   * @param spoofFar The share of people that may be rejected.
   */
  async score(speech: Float32Array, spoofFar: number): Promise<SpoofScore> {
    const [live, synthetic, loudspeaker] = await this.#logits(speech);
    const seconds = speech.length / SAMPLE_RATE;
    const larger = Math.max(synthetic, loudspeaker);
    const score = live - (larger + Math.log(Math.exp(synthetic - larger) + Math.exp(loudspeaker - larger)));
    const threshold = this.card.threshold(spoofFar, seconds);
    const spoof = synthetic >= loudspeaker ? KINDS[1] : KINDS[2];
    return { score, llr: this.card.llr(score, seconds), threshold, kind: score >= threshold ? null : spoof };
  }

  /** The logits of `KINDS`; of long speech their mean over parts. */
  async #logits(speech: Float32Array): Promise<number[]> {
    checkNumber("seconds of speech", speech.length / SAMPLE_RATE, { least: SHORTEST });
    if (speech.every((sample) => sample === 0)) throw argumentError("speech", "digital silence", "samples of a recording");
    const parts = Math.ceil(speech.length / LONGEST);
    const [length, longer] = [Math.floor(speech.length / parts), speech.length % parts]; // the first are longer by a sample
    const sums = KINDS.map(() => 0);
    for (let part = 0, start = 0; part < parts; part += 1) {
      const stop = start + length + (part < longer ? 1 : 0);
      const found = await this.network.run({ waveform: tensor(speech.slice(start, stop), [1, stop - start]) });
      const [logits] = Object.values(found);
      if (logits.length !== KINDS.length) throw new VoiceprintError("model", `the countermeasure gave ${logits.length} numbers, not ${KINDS.length}`);
      logits.forEach((logit, place) => (sums[place] += logit));
      start = stop;
    }
    return sums.map((sum) => sum / parts);
  }
}

/** Say a score in a sentence; where threshold and likelihood seem to disagree, also why. */
export function spoofWords({ score, llr, threshold, kind }: SpoofScore): string {
  const reaches = score >= threshold ? "reaches" : "is below";
  const said = `score ${fixed(score, 2)} ${reaches} the threshold ${fixed(threshold, 2)}`;
  const ratio = `(log-likelihood ratio ${signed(llr)})`;
  if (kind === null && llr < 0) return `this is taken for somebody speaking live: ${said}; it is likelier a machine's than live ${ratio}, but few people may be rejected`;
  if (kind === null) return `this sounds like somebody speaking live: ${said}`;
  if (llr >= 0) return `this does not sound enough like somebody speaking live: ${said}; it is likelier live than a machine's ${ratio}, but this rate asks for more`;
  const like = { synthetic: "a voice that a machine makes", loudspeaker: "a loudspeaker" }[kind];
  return `this does not sound like somebody speaking live, but like ${like}: ${said}`;
}
