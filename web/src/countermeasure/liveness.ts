/** LivenessCheck: whether what is said in clips sounds spoken live, at the rate that was asked for. */

import { type Clip, recordingsOf } from "../audio/clips.ts";
import { SAMPLE_RATE } from "../audio/waveform.ts";
import { fixed, general } from "../text.ts";
import { type Countermeasure, type SpoofScore, spoofWords } from "./detector.ts";

/** The answer to "does somebody speak here, and not a machine?". */
export interface Liveness {
  readonly decision: "live" | "spoofed" | "not_enough_speech";
  /** How clearly; of several recordings that of the one that sounds least live. Null where there is too little speech. */
  readonly spoof: SpoofScore | null;
  readonly reason: string;
}

/** A countermeasure, and the rate at which it decides. What is too short to be judged is not live. */
export class LivenessCheck {
  /**
   * @param spoofFar The share of people that may be rejected; the higher, the stricter.
   * @throws VoiceprintError `argument` if the card has no thresholds for the rate.
   */
  constructor(
    readonly countermeasure: Countermeasure,
    readonly spoofFar: number,
  ) {
    countermeasure.card.checkRate(spoofFar);
  }

  /** Seconds of speech, with its margins, below which nothing is decided. */
  get leastSeconds(): number {
    return this.countermeasure.card.data.seconds[0];
  }

  /** Say whether a clip, or each of those that it was pooled of, sounds spoken live. */
  async judge(clip: Clip): Promise<Liveness> {
    const recordings = recordingsOf(clip);
    const shortest = recordings.reduce((least, each) => (each.speech.length < least.speech.length ? each : least));
    const seconds = shortest.speech.length / SAMPLE_RATE;
    if (seconds < this.leastSeconds) {
      const which = clip.parts.length ? `${shortest.source}: ` : "";
      const reason = `${which}${fixed(seconds, 2)} s of speech with its margins; at least ${general(this.leastSeconds)} s are needed to tell whether somebody speaks live`;
      return { decision: "not_enough_speech", spoof: null, reason };
    }
    const scores: SpoofScore[] = [];
    for (const { speech } of recordings) scores.push(await this.countermeasure.score(speech, this.spoofFar));
    const worst = scores.reduce((least, each) => (each.score - each.threshold < least.score - least.threshold ? each : least));
    return { decision: worst.score >= worst.threshold ? "live" : "spoofed", spoof: worst, reason: spoofWords(worst) };
  }
}
