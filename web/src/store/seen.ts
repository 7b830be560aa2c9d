/** Which recordings of a person were enrolled or accepted, so that they count only once. Nothing here holds sound. */

import type { AcceptedRecording, VoiceprintRecord } from "./records.ts";

/** Accepted recordings of a person that are remembered; a new one takes the place of the oldest. */
export const MOST_ACCEPTED = 100;

/** Of the fingerprints of a person's accepted recordings together; the oldest go first. */
export const MOST_BYTES = 128 << 10;

/** A recording that was enrolled or accepted. */
export interface SeenRecording extends AcceptedRecording {
  readonly kind: "enrolled" | "accepted";
}

/** The recordings of a person: those enrolled, and those accepted, the newest last. */
export function allSeen({ utterances, updated }: VoiceprintRecord, accepted: readonly AcceptedRecording[]): SeenRecording[] {
  return [
    ...utterances.map(({ added, clip_sha256: sha256, fingerprint = NONE }) => ({ kind: "enrolled", at: added ?? updated, sha256, fingerprint }) as const),
    ...accepted.map((each) => ({ kind: "accepted", ...each }) as const),
  ];
}

/** Those that are remembered once there are more: the oldest are forgotten beyond what is remembered. */
export function remembered(accepted: readonly AcceptedRecording[]): AcceptedRecording[] {
  const kept: AcceptedRecording[] = [];
  let size = 0;
  for (const each of [...accepted].reverse()) {
    size += each.fingerprint.length;
    if (kept.length === MOST_ACCEPTED || (kept.length && size > MOST_BYTES)) break;
    kept.push(each);
  }
  return kept.reverse();
}

const NONE = new Uint8Array(0);
