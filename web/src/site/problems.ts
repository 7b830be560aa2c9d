/** Errors of the engine as the problems that the page has words for: those of the server's HTTP API. */

import { type ErrorCode, VoiceprintError } from "../errors.ts";

const PROBLEMS: Readonly<Record<ErrorCode, readonly [status: number, code: string]>> = {
  argument: [422, "request-invalid"],
  audio: [422, "clip-unusable"],
  channels_differ: [422, "channels-differ"],
  consent_required: [422, "consent-needed"],
  enrollment: [422, "enrollment-refused"],
  invalid_name: [422, "name-invalid"],
  model: [500, "model-lost"],
  model_mismatch: [409, "model-replaced"],
  not_calibrated: [500, "model-unusable"],
  speaker_exists: [409, "speaker-exists"],
  speaker_expired: [409, "consent-expired"],
  speaker_not_found: [404, "speaker-not-found"],
  speaker_opted_out: [409, "opted-out"],
  store: [500, "browser-store"],
  store_full: [507, "browser-full"],
};

/** An answer that is an error (RFC 9457). */
export interface Problem {
  readonly type: string;
  readonly status: number;
  readonly detail: string;
  readonly clips?: unknown;
}

/** Say an error as a problem. */
export function problemOf(error: unknown): Problem {
  const detail = error instanceof Error ? error.message : String(error);
  if (!(error instanceof VoiceprintError)) return { type: "urn:voiceprint:tab-failed", status: 500, detail };
  const { clips, another_voice: anotherVoice } = error.facts;
  const [status, code] = anotherVoice ? [409, "voice-disagrees"] : PROBLEMS[error.code];
  return { type: `urn:voiceprint:${code}`, status, detail, ...(clips ? { clips } : {}) };
}
