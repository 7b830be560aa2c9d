/** Whom a new voiceprint sounds like: one voice, or one recording, that is enrolled under two names. */

import { SAME_RECORDING, type SoundTrace } from "../audio/fingerprint.ts";
import type { Decider } from "../calibration/decider.ts";
import { among, far } from "../calibration/operating_point.ts";
import { VoiceprintError } from "../errors.ts";
import type { EnrollmentStore } from "../store/enrollment_store.ts";
import type { EnrolledUtterance, Enrollment } from "../store/records.ts";

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

/**
 * Find the people enrolled under other names whose voice a voiceprint has; nearest first.
 *
 * @param traces Of the clips that it was just given.
 */
export async function whoResembles(enrollment: Enrollment, traces: readonly SoundTrace[], store: EnrollmentStore, decider: Decider): Promise<Resemblance[]> {
  try {
    return await found(enrollment, traces, store, decider);
  } catch (error) {
    if (error instanceof VoiceprintError) return []; // the voiceprint is in the store; what fails here takes only a warning
    throw error;
  }
}

async function found(enrollment: Enrollment, traces: readonly SoundTrace[], store: EnrollmentStore, decider: Decider): Promise<Resemblance[]> {
  const everybody = await store.search(enrollment.centroid);
  const hits = everybody.slice(0, NEAREST + 1).filter(({ name }) => name !== enrollment.name);
  if (!hits.length) return [];
  const own = new Set((await store.record(enrollment.name)).utterances.map(({ clip_sha256 }) => clip_sha256));
  const point = among(far(FAR), Math.max(1, (await store.names()).length - 1));
  const resembling: Resemblance[] = [];
  for (const { name, score, n_utterances } of hits) {
    const shape = { n_enroll: n_utterances, seconds: enrollment.seconds_of_speech, snr_db: null };
    const alike = decider.calibration !== null && score >= decider.threshold(shape, point);
    // Of a voice that is unlike, sound tells nothing: somebody may imitate the other, or a machine.
    const common = inCommon(own, alike ? traces : [], (await store.record(name)).utterances);
    if (common || alike) resembling.push({ name, score, llr: decider.llr(score, shape), same_recordings: common });
  }
  return resembling;
}

/** Count the clips that are also ours: the same samples, or the same recording. */
function inCommon(own: ReadonlySet<string>, traces: readonly SoundTrace[], clips: readonly EnrolledUtterance[]): number {
  const prints = clips.map(({ fingerprint }) => fingerprint ?? new Uint8Array(0));
  const likeness = traces.map((trace) => trace.likeness(prints));
  return clips.filter(({ clip_sha256 }, index) => own.has(clip_sha256) || likeness.some((each) => each[index] >= SAME_RECORDING)).length;
}
