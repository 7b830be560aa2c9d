/** What a session tells while somebody speaks; times are in seconds of sound. */

import type { Identification, Verification } from "./decisions.ts";

/** What a question is answered by. */
export type Answer = Verification | Identification;

/** `elapsed` says after how much sound it became known. */
export type SessionEvent = { readonly elapsed: number } & (
  | { readonly event: "speech_began"; readonly start: number }
  | { readonly event: "speech_ended"; readonly start: number; readonly stop: number }
  | {
      readonly event: "scored";
      /** The claimed person, or the likeliest. */
      readonly name: string;
      readonly score: number;
      readonly llr: number | null;
      /** The score from which it would suffice now. */
      readonly threshold: number;
      readonly seconds_of_speech: number;
    }
  | { readonly event: "speaker_changed"; readonly start: number }
  | { readonly event: "decided"; readonly answer: Answer }
);
