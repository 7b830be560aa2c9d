/** Whom a new voiceprint sounds like: one voice, or one recording, that is enrolled under two names. */

import type { Decider } from "../calibration/decider.ts";
import { among, far } from "../calibration/operating_point.ts";
import type { EnrollmentStore } from "../store/enrollment_store.ts";
import type { Enrollment } from "../store/records.ts";

const FAR = 1e-3; // how often somebody who is not enrolled is said to sound like anybody who is
const NEAREST = 5;

/** Somebody else who is enrolled with the same voice, as it seems. */
export interface Resemblance {
  readonly name: string;
  readonly score: number;
  readonly llr: number | null;
  /** Clips that both voiceprints are made of. */
  readonly same_recordings: number;
}

/** Find the people enrolled under other names whose voice a voiceprint has; nearest first. */
export async function whoResembles(enrollment: Enrollment, store: EnrollmentStore, decider: Decider): Promise<Resemblance[]> {
  const everybody = await store.search(enrollment.centroid);
  const hits = everybody.slice(0, NEAREST + 1).filter(({ name }) => name !== enrollment.name);
  if (!hits.length) return [];
  const own = await hashesOf(store, enrollment.name);
  const point = among(far(FAR), Math.max(1, (await store.names()).length - 1));
  const found: Resemblance[] = [];
  for (const { name, score, n_utterances } of hits) {
    const shape = { n_enroll: n_utterances, seconds: enrollment.seconds_of_speech, snr_db: null };
    const common = [...(await hashesOf(store, name))].filter((hash) => own.has(hash)).length;
    const alike = decider.calibration !== null && score >= decider.threshold(shape, point);
    if (common || alike) found.push({ name, score, llr: decider.llr(score, shape), same_recordings: common });
  }
  return found;
}

async function hashesOf(store: EnrollmentStore, name: string): Promise<Set<string>> {
  return new Set((await store.record(name)).utterances.map(({ clip_sha256 }) => clip_sha256));
}
