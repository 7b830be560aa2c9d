/** Whether a recording is one that was enrolled or accepted before. */

import { type Clip, recordingsOf } from "../audio/clips.ts";
import { SAME_RECORDING, traceOf } from "../audio/fingerprint.ts";
import type { EnrollmentStore } from "../store/enrollment_store.ts";
import type { AcceptedRecording } from "../store/records.ts";
import type { SeenRecording } from "../store/seen.ts";

/** The earlier recording that a clip is, or holds a part of. */
export interface Replay {
  /** Whether the person was enrolled with it, or accepted by it. */
  readonly kind: "enrolled" | "accepted";
  readonly at: string;
}

/** Whether a recording may count again. */
export interface ReplayOptions {
  /** Accept a recording that was enrolled, or accepted before. Nothing is remembered then. */
  readonly allow_replay?: boolean;
}

/** Say it in a sentence. */
export function replayWords({ kind, at }: Replay): string {
  const how = kind === "enrolled" ? "is one that the voiceprint is made of, enrolled" : "was accepted before,";
  const [day, time] = new Date(at).toISOString().split("T");
  return `the recording ${how} on ${day} at ${time.slice(0, 5)} UTC; speak anew`;
}

/** The recordings of a claim, as they are compared with earlier ones and remembered. */
export class ClaimRecordings {
  readonly #recordings: readonly { readonly sha256: string; readonly trace: ReturnType<typeof traceOf> }[];

  /** @param clip One recording, or several that were pooled. */
  constructor(clip: Clip) {
    this.#recordings = recordingsOf(clip).map(({ sha256, speech, stretches }) => ({ sha256, trace: traceOf(speech, stretches) }));
  }

  /** The earliest of some recordings that is one of these; null where none is. */
  seenIn(seen: readonly SeenRecording[]): Replay | null {
    const hashes = new Set(this.#recordings.map(({ sha256 }) => sha256).filter(Boolean));
    const copies = seen.filter(({ sha256 }) => hashes.has(sha256));
    const again = copies.length ? copies : this.#alike(seen);
    const [first] = [...again].sort((a, b) => Date.parse(a.at) - Date.parse(b.at));
    return first ? { kind: first.kind, at: first.at } : null;
  }

  /** They as the store remembers them from now on. */
  toRemember(): AcceptedRecording[] {
    const at = new Date().toISOString();
    return this.#recordings.map(({ sha256, trace }) => ({ at, sha256, fingerprint: trace.fingerprint() }));
  }

  #alike(seen: readonly SeenRecording[]): SeenRecording[] {
    const known = seen.filter(({ fingerprint }) => fingerprint.length);
    const likeness = this.#recordings.map(({ trace }) => trace.likeness(known.map(({ fingerprint }) => fingerprint)));
    return known.filter((_, index) => likeness.some((each) => each[index] >= SAME_RECORDING));
  }
}

/**
 * Note that a claim would be accepted, and remember its recordings.
 *
 * What cannot be remembered is not accepted: whoever has the recording could play it again.
 *
 * @param spoofed It does not sound spoken live, so that it is refused: its recordings are only looked up.
 * @returns The earlier recording that the clip is, which refuses the claim.
 */
export async function noteAccepted(store: EnrollmentStore, name: string, clip: Clip, { allow_replay = false }: ReplayOptions, spoofed = false): Promise<Replay | null> {
  if (allow_replay) return null;
  const recordings = new ClaimRecordings(clip);
  return store.noteAccepted(name, spoofed ? [] : recordings.toRemember(), (seen) => recordings.seenIn(seen));
}
