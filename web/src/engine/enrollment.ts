/** Which of the clips given for a person make the voiceprint, and why the others do not. */

import { type Clip, MIN_SPEECH, readClip } from "../audio/clips.ts";
import { SAME_RECORDING, type SoundTrace, traceOf } from "../audio/fingerprint.ts";
import type { ClipQuality } from "../audio/quality.ts";
import type { ClipSource, ReadOptions } from "../audio/read.ts";
import type { Decider } from "../calibration/decider.ts";
import { EER } from "../calibration/operating_point.ts";
import type { LivenessCheck } from "../countermeasure/liveness.ts";
import { VoiceprintError } from "../errors.ts";
import type { SpeakerModel } from "../model/speaker_model.ts";
import { centroid, cosine, normalize, sumOf } from "../scoring.ts";
import type { EnrolledUtterance, Enrollment } from "../store/records.ts";
import { fixed, general } from "../text.ts";
import { findTwoVoices } from "./two_voices.ts";

/** Seconds of speech, over all clips, that a voiceprint takes by default. */
export const MIN_ENROLL_SPEECH = 3;

/** What became of a clip. */
export type ClipStatus = "used" | "disagrees" | "two_voices" | "channels_differ" | "spoofed" | "too_short" | "unreadable" | "duplicate";

/** What became of one clip at enrollment. */
export interface ClipReport {
  readonly source: string;
  readonly status: ClipStatus;
  /** Why it was set aside, in a sentence; empty if it was used. */
  readonly reason: string;
  readonly quality: ClipQuality | null;
  /** Cosine of the clip and the person's other clips; null if there was nothing to compare it with. */
  readonly agreement: number | null;
}

/** A clip that was measured and, if it holds enough speech, embedded. */
export interface CandidateClip {
  readonly report: ClipReport;
  readonly clip: Clip | null;
  /** Null unless the status is "used". */
  readonly embedding: Float32Array | null;
  /** By which its recording is known again; likewise. */
  readonly trace: SoundTrace | null;
}

/** Read, measure and embed one clip; what cannot be used, or does not sound live where that is asked, is said in its report. */
export async function measureClip(source: ClipSource, model: SpeakerModel, options: ReadOptions = {}, liveness: LivenessCheck | null = null): Promise<CandidateClip> {
  let clip: Clip;
  try {
    clip = await readClip(source, model.detector, options);
  } catch (error) {
    if (!(error instanceof VoiceprintError && (error.code === "audio" || error.code === "channels_differ"))) throw error;
    const name = String(error.facts.source ?? options.source ?? "<array>");
    const reason = error.message.replace(`${name} `, "");
    return unusable(name, error.code === "audio" ? "unreadable" : "channels_differ", reason, null);
  }
  const seconds = clip.quality.seconds_of_speech;
  if (seconds < MIN_SPEECH) {
    return unusable(clip.source, "too_short", `${fixed(seconds, 1)} s of speech; at least ${MIN_SPEECH} s are needed`, clip.quality);
  }
  const voices = await findTwoVoices(clip, model);
  if (voices) return unusable(clip.source, "two_voices", `${voices}; cut it to one person`, clip.quality);
  const live = await liveness?.judge(clip);
  if (live && live.decision !== "live") return unusable(clip.source, live.decision === "spoofed" ? "spoofed" : "too_short", live.reason, clip.quality);
  const report = { source: clip.source, status: "used", reason: "", quality: clip.quality, agreement: null } as const;
  const [embedding, trace] = [await model.embed(clip.speech), traceOf(clip.speech, clip.stretches)];
  return { report, clip: { ...clip, speech: new Float32Array(0) }, embedding, trace };
}

/** By whom and by how much clips are judged. */
export interface Judging {
  readonly decider: Decider;
  /** The voiceprint that the clips are added to, and its clips. */
  readonly enrolled?: Enrollment | null;
  readonly enrolled_clips?: readonly EnrolledUtterance[];
  readonly min_speech?: number;
}

/**
 * Set aside the clips that come twice or disagree with the rest, and refuse what makes no voiceprint.
 *
 * A clip disagrees when its cosine to the centroid of the others is below the threshold at the EER for that many
 * clips, seconds and noise. The worst goes first and the rest is judged again. More than half must agree. Clips
 * added to a voiceprint are compared with the voiceprint alone.
 *
 * @throws VoiceprintError `enrollment`, whose `facts.clips` holds the reports.
 */
export function judgeClips(name: string, candidates: readonly CandidateClip[], judging: Judging): CandidateClip[] {
  const { decider, enrolled = null, enrolled_clips = [], min_speech = MIN_ENROLL_SPEECH } = judging;
  const judged = setDuplicatesAside(candidates, enrolled_clips);
  const usable = judged.flatMap((clip, index) => (clip.embedding ? [index] : []));
  const found = agreeing(usable.map((index) => judged[index]), decider, enrolled);
  usable.forEach((index, place) => (judged[index] = withAgreement(judged[index], found[place])));
  refuseIfUnfit(name, judged, enrolled, min_speech);
  return judged;
}

/**
 * Choose the clips, embedded elsewhere, that agree with a voiceprint, as `judgeClips` would.
 *
 * @throws VoiceprintError `enrollment` without a calibration: of a file from elsewhere nobody says that it is this person.
 */
export function thoseThatAgree(enrolled: Enrollment, clips: readonly EnrolledUtterance[], decider: Decider): EnrolledUtterance[] {
  if (!decider.calibration) {
    throw new VoiceprintError("enrollment", `${enrolled.name}: without a calibration clips cannot be checked to be of this person, so nothing was added`, { name: enrolled.name });
  }
  return clips.filter(({ embedding, quality }) => cosine(enrolled.centroid, embedding) >= limitOf(decider, enrolled.n_utterances, quality));
}

/** The clips that make the voiceprint, as the store takes them. */
export function utterancesOf(judged: readonly CandidateClip[]): EnrolledUtterance[] {
  return judged.flatMap(({ embedding, clip, trace }) => {
    if (!embedding || !clip) return [];
    const { sha256: clip_sha256, source, quality } = clip;
    return [{ embedding, clip_sha256, source, quality, added: null, fingerprint: trace?.fingerprint() }];
  });
}

function unusable(source: string, status: ClipStatus, reason: string, quality: ClipQuality | null): CandidateClip {
  return { report: { source, status, reason, quality, agreement: null }, clip: null, embedding: null, trace: null };
}

function setAside(clip: CandidateClip, status: ClipStatus, reason: string): CandidateClip {
  return { ...clip, report: { ...clip.report, status, reason }, embedding: null, trace: null };
}

/** A clip that others are compared with. */
interface Known {
  readonly what: string;
  readonly sha256: string;
  readonly fingerprint: Uint8Array;
}

function setDuplicatesAside(candidates: readonly CandidateClip[], enrolledClips: readonly EnrolledUtterance[]): CandidateClip[] {
  const nothing = new Uint8Array(0);
  const known: Known[] = enrolledClips.map(({ clip_sha256: sha256, fingerprint = nothing }) => ({ what: "a clip that is enrolled already", sha256, fingerprint }));
  return candidates.map((candidate) => {
    const same = sameRecording(candidate, known);
    if (same) return setAside(candidate, "duplicate", same);
    const { clip, trace, report } = candidate;
    if (clip && trace) known.push({ what: report.source, sha256: clip.sha256, fingerprint: trace.fingerprint() });
    return candidate;
  });
}

/** Say which earlier clip is the same recording, to the sample or not; empty where none is. */
function sameRecording({ clip, trace }: CandidateClip, known: readonly Known[]): string {
  if (!clip || !trace) return "";
  const copied = known.find(({ sha256 }) => sha256 === clip.sha256);
  if (copied) return `the same recording as ${copied.what}`;
  const likeness = trace.likeness(known.map(({ fingerprint }) => fingerprint));
  const most = likeness.reduce((best, value, index) => (value > likeness[best] ? index : best), 0);
  return likeness[most] >= SAME_RECORDING ? `the same recording as ${known[most].what}, encoded anew or in part` : "";
}

interface Agreement {
  readonly agrees: boolean;
  readonly value: number | null;
}

/** Say of each clip whether it agrees with the person's others, and how well. */
function agreeing(clips: readonly CandidateClip[], decider: Decider, enrolled: Enrollment | null): Agreement[] {
  const voices = clips.flatMap(({ embedding, report }) => (embedding && report.quality ? [{ embedding, quality: report.quality }] : []));
  if (enrolled) {
    return voices.map(({ embedding, quality }) => {
      const value = cosine(enrolled.centroid, embedding);
      return { agrees: value >= limitOf(decider, enrolled.n_utterances, quality), value };
    });
  }
  const kept = withoutImpostors(voices, decider);
  return voices.map((voice) => {
    const others = kept.filter((other) => other !== voice);
    const value = others.length ? cosine(centroid(others.map(({ embedding }) => embedding)), voice.embedding) : null;
    return { agrees: kept.includes(voice), value };
  });
}

/** Those who agree with each other, the worst dropped until all do. */
function withoutImpostors<Voice extends { embedding: Float32Array; quality: ClipQuality }>(voices: readonly Voice[], decider: Decider): Voice[] {
  let kept = [...voices];
  while (kept.length > 1) {
    const sum = sumOf(kept.map(({ embedding }) => embedding));
    const margins = kept.map(({ embedding, quality }) => {
      const others = normalize(sum.map((value, i) => value - embedding[i]));
      return cosine(others, embedding) - limitOf(decider, kept.length - 1, quality);
    });
    const worst = margins.indexOf(Math.min(...margins));
    if (margins[worst] >= 0) break;
    kept = kept.filter((_, index) => index !== worst);
  }
  return kept;
}

/** Lowest agreement of a clip of the same person. */
function limitOf(decider: Decider, nEnroll: number, quality: ClipQuality): number {
  if (!decider.calibration) return -Infinity;
  return decider.threshold({ n_enroll: nEnroll, seconds: quality.seconds_of_speech, snr_db: quality.snr_db }, EER);
}

function withAgreement(clip: CandidateClip, { agrees, value }: Agreement): CandidateClip {
  const told = { ...clip, report: { ...clip.report, agreement: value } };
  return agrees ? told : setAside(told, "disagrees", `sounds like another person (agreement ${fixed(value ?? 0, 2)})`);
}

function refuseIfUnfit(name: string, clips: readonly CandidateClip[], enrolled: Enrollment | null, minSpeech: number): void {
  const refuse = (what: string) => new VoiceprintError("enrollment", `${name}: ${what}`, { name, clips: clips.map(({ report }) => report) });
  const used = clips.filter(({ embedding }) => embedding);
  const disagreeing = clips.filter(({ report }) => report.status === "disagrees");
  if (disagreeing.length && (enrolled ? !used.length : used.length <= disagreeing.length)) {
    const against = enrolled ? "the enrolled voiceprint" : "each other";
    throw refuse(`${disagreeing.length} of ${used.length + disagreeing.length} clips disagree with ${against} (${named(disagreeing)}); give clips of one person only`);
  }
  if (!used.length) throw refuse(`no clip can be used (${named(clips)})`);
  const total = used.reduce((sum, { report }) => sum + (report.quality?.seconds_of_speech ?? 0), enrolled?.seconds_of_speech ?? 0);
  if (total < minSpeech) {
    const many = `${used.length} clip${used.length === 1 ? "" : "s"}`;
    throw refuse(`${fixed(total, 1)} s of speech in ${many} is too little; give at least ${general(minSpeech)} s, or ask for less`);
  }
}

/** Name a few clips and why they were set aside. */
function named(clips: readonly CandidateClip[], most = 3): string {
  if (!clips.length) return "none was given";
  const some = clips.slice(0, most).map(({ report }) => `${report.source}: ${report.reason}`);
  return [...some, ...(clips.length > most ? [`and ${clips.length - most} more`] : [])].join("; ");
}
