/**
 * Speaker verification in a browser tab: enroll, verify and identify voices; nothing leaves the tab.
 *
 * @packageDocumentation
 */

export { type ClipSource, readAudio, type ReadOptions, type Samples } from "./audio/read.ts";
export type { ClipQuality, QualityNote, QualityReport } from "./audio/quality.ts";
export { MAX_SECONDS, MIN_SECONDS, SAMPLE_RATE, type Waveform } from "./audio/waveform.ts";
export { Decider, type TrialShape } from "./calibration/decider.ts";
export { among, cost, EER, far, type OperatingPoint, threshold } from "./calibration/operating_point.ts";
export type { Shortfall } from "./calibration/promise.ts";
export type { CountermeasureData } from "./countermeasure/card.ts";
export type { SpoofScore } from "./countermeasure/detector.ts";
export type { Comparison, Identification, Match, ThresholdSource, Verification } from "./engine/decisions.ts";
export type { ClipReport, ClipStatus } from "./engine/enrollment.ts";
export type { Answer, SessionEvent } from "./engine/events.ts";
export type { Replay, ReplayOptions } from "./engine/replays.ts";
export { Session } from "./engine/session.ts";
export {
  type Clips,
  type DecideOptions,
  type EnrollmentReport,
  type EnrollOptions,
  type SearchOptions,
  type SessionOptions,
  Verifier,
  type VerifierOptions,
} from "./engine/verifier.ts";
export { type ErrorCode, VoiceprintError } from "./errors.ts";
export { type CardData, ModelCard } from "./model/card.ts";
export { type ModelPlace, SpeakerModel } from "./model/speaker_model.ts";
export { IndexedDbBackend, MemoryBackend } from "./store/backend.ts";
export { EnrollmentStore, type ImportReport, type SetAsideClip, type Terms } from "./store/enrollment_store.ts";
export { type ExportFile, readExport, writeExport } from "./store/exchange.ts";
export type { AcceptedRecording, AddMode, Consent, EnrolledUtterance, Enrollment, ImportMode, VoiceprintRecord } from "./store/records.ts";
export { openInWorker, type RemoteSession, RemoteVerifier } from "./worker/client.ts";
