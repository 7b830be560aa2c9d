/**
 * What may be asked of speech: whether it is a claimed person's, or which enrolled person's it is.
 *
 * A question checks that it may be asked, compares speech with whom it concerns, and words the answer. Where to
 * decide is no part of it: `Verifier` decides once, a `Session` while somebody speaks.
 */

import { type Clip, notesOf } from "../audio/clips.ts";
import type { ClipQuality } from "../audio/quality.ts";
import type { Decider, TrialShape } from "../calibration/decider.ts";
import { type Shortfall, shortfallWords } from "../calibration/promise.ts";
import type { Liveness, LivenessCheck } from "../countermeasure/liveness.ts";
import type { SpoofScore } from "../countermeasure/detector.ts";
import { VoiceprintError } from "../errors.ts";
import { cosine } from "../scoring.ts";
import type { EnrollmentStore } from "../store/enrollment_store.ts";
import { normalizeName } from "../store/names.ts";
import { fixed, general } from "../text.ts";
import type { Identification, Match, Verdict, Verification } from "./decisions.ts";
import { rank } from "./nearest.ts";
import { noteAccepted, type Replay, type ReplayOptions, replayWords } from "./replays.ts";

/** People nearest by score among whom the likeliest is sought: who has more clips scores higher by nature. */
const CANDIDATES = 20;

/** Speech that was compared with a person: the claimed, or the likeliest. */
export interface Compared {
  readonly name: string;
  readonly score: number;
  readonly llr: number | null;
  readonly shape: TrialShape;
  readonly people: number;
  readonly matches: readonly Match[];
  readonly clip: Clip;
}

/** What is asked of speech; `Answer` is what it is answered by. */
export interface Question<Answer> {
  /** The answer that needs no speech, if any. */
  refusal(): Promise<Answer | null>;
  /** Compare speech with whom it concerns now; the answer itself where it may not be compared. */
  compare(clip: Clip, embedding: Float32Array): Promise<{ readonly trial: Compared } | { readonly answer: Answer }>;
  /** Word the answer; where the voice is accepted, that is noted, and a replay refused. */
  answer(trial: Compared, verdict: Verdict): Promise<Answer>;
  tooLittle(clip: Clip, minSpeech: number): Answer;
  tooShort(trial: Compared, shortfall: Shortfall): Answer;
}

/** What keeps recordings and machines out. */
export interface Guards extends ReplayOptions {
  /** Whether somebody speaks live is asked, too. */
  readonly liveness?: LivenessCheck | null;
}

/** What becomes of a voice that was compared: the first of these that it is. */
interface Outcome {
  readonly decision: "rejected" | "replayed" | "spoofed" | "accepted";
  readonly reason: string;
  readonly replay: Replay | null;
  readonly spoof: SpoofScore | null;
}

/** The question whether this is the person they claim to be. */
export class Claim implements Question<Verification> {
  readonly name: string;

  constructor(
    readonly store: EnrollmentStore,
    readonly decider: Decider,
    name: string,
    readonly guards: Guards = {},
  ) {
    this.name = normalizeName(name);
  }

  async refusal(): Promise<Verification | null> {
    const found = await this.#voiceprint();
    return "decision" in found ? found : null;
  }

  async compare(clip: Clip, embedding: Float32Array): Promise<{ trial: Compared } | { answer: Verification }> {
    const enrollment = await this.#voiceprint();
    if ("decision" in enrollment) return { answer: enrollment };
    const score = cosine(enrollment.centroid, embedding);
    const shape = shapeOf(enrollment.n_utterances, clip.quality);
    return { trial: { name: this.name, score, llr: this.decider.llr(score, shape), shape, people: 1, matches: [], clip } };
  }

  async answer(trial: Compared, verdict: Verdict): Promise<Verification> {
    const { score, llr, threshold, threshold_source } = verdict;
    const live = await judged(trial.clip, this.guards);
    if (live && !live.spoof) return this.#none("not_enough_speech", live.reason, trial.clip);
    const { decision, reason, replay, spoof } = await settled(this.store, trial, verdict, live, this.guards);
    const decided = this.#none(decision, reason, trial.clip);
    return { ...decided, accepted: decision === "accepted", score, llr, threshold, threshold_source, replay, spoof };
  }

  tooLittle(clip: Clip, minSpeech: number): Verification {
    return this.#none("not_enough_speech", tooLittle(clip.quality.seconds_of_speech, minSpeech), clip);
  }

  tooShort(trial: Compared, shortfall: Shortfall): Verification {
    const reason = tooShort(trial.clip.quality.seconds_of_speech, shortfall);
    return { ...this.#none("not_enough_speech", reason, trial.clip), shortfall };
  }

  /** What speech is compared with, or the answer where there may be no comparison. */
  async #voiceprint() {
    try {
      const enrollment = await this.store.get(this.name);
      return enrollment.expired ? this.#none("expired", `the voiceprint expired on ${enrollment.expires?.slice(0, 10)}`) : enrollment;
    } catch (error) {
      const unknown = error instanceof VoiceprintError && error.code === "speaker_not_found";
      if (!unknown || !(await this.store.optOuts()).some(({ name }) => name === this.name)) throw error;
      return this.#none("opted_out", "the person does not want to be enrolled");
    }
  }

  #none(decision: Verification["decision"], reason: string, clip?: Clip): Verification {
    return {
      name: this.name,
      accepted: false,
      decision,
      score: null,
      llr: null,
      threshold: null,
      threshold_source: null,
      seconds_of_speech: clip ? clip.quality.seconds_of_speech : null,
      model: this.store.modelId,
      reason,
      quality_notes: clip ? notesOf(clip) : [],
      shortfall: null,
      replay: null,
      spoof: null,
    };
  }
}

/** The question which enrolled person this is, if any. */
export class Search implements Question<Identification> {
  readonly among: readonly string[] | undefined;
  readonly top: number;
  readonly guards: Guards;

  /** @param among A watch list: whom to compare with; everybody unless given. */
  constructor(
    readonly store: EnrollmentStore,
    readonly decider: Decider,
    { among, top = 5, ...guards }: Guards & { among?: string | readonly string[]; top?: number } = {},
  ) {
    this.among = among === undefined ? undefined : [...new Set([among].flat().map(normalizeName))];
    this.top = top;
    this.guards = guards;
  }

  async refusal(): Promise<null> {
    for (const name of this.among ?? []) await this.store.record(name); // who is not enrolled is told
    return null;
  }

  async compare(clip: Clip, embedding: Float32Array): Promise<{ trial: Compared } | { answer: Identification }> {
    const everybody = await this.store.search(embedding, this.among);
    const hits = this.among ? everybody : everybody.slice(0, Math.max(this.top, CANDIDATES));
    if (!hits.length) return { answer: this.#none(clip, "unknown", "nobody is enrolled whom the clip could be of") };
    const llrOf = (hit: (typeof hits)[number]) => this.decider.llr(hit.score, shapeOf(hit.n_utterances, clip.quality));
    const matches = rank(hits, llrOf);
    const nearest = hits.find((hit) => hit.name === matches[0].name) ?? hits[0];
    const others = hits.filter((hit) => hit !== nearest).map(({ score }) => score);
    const shape = { ...shapeOf(nearest.n_utterances, clip.quality), rivals: this.decider.rivals(embedding, others) };
    const people = this.among ? hits.length : (await this.store.names()).length;
    const trial = { name: nearest.name, score: nearest.score, llr: matches[0].llr, shape, people, clip };
    return { trial: { ...trial, matches: matches.slice(0, this.top) } };
  }

  async answer(trial: Compared, verdict: Verdict): Promise<Identification> {
    const { threshold, threshold_source } = verdict;
    const live = await judged(trial.clip, this.guards);
    if (live && !live.spoof) return this.#none(trial.clip, "not_enough_speech", live.reason);
    const outcome = await settled(this.store, trial, verdict, live, this.guards);
    const { replay, spoof } = outcome;
    const decision = OF_A_SEARCH[outcome.decision];
    const decided = this.#none(trial.clip, decision, `${trial.name}: ${outcome.reason}`);
    const name = decision === "identified" ? trial.name : null;
    const expected = name || decision === "unknown" ? verdict.expected : null;
    return { ...decided, name, matches: trial.matches, threshold, threshold_source, expected, replay, spoof };
  }

  tooLittle(clip: Clip, minSpeech: number): Identification {
    return this.#none(clip, "not_enough_speech", tooLittle(clip.quality.seconds_of_speech, minSpeech));
  }

  tooShort(trial: Compared, shortfall: Shortfall): Identification {
    const reason = tooShort(trial.clip.quality.seconds_of_speech, shortfall);
    return { ...this.#none(trial.clip, "not_enough_speech", reason), shortfall };
  }

  #none(clip: Clip, decision: Identification["decision"], reason: string): Identification {
    return {
      decision,
      name: null,
      matches: [],
      seconds_of_speech: clip.quality.seconds_of_speech,
      threshold: null,
      threshold_source: null,
      model: this.store.modelId,
      reason,
      quality_notes: notesOf(clip),
      shortfall: null,
      replay: null,
      spoof: null,
      expected: null,
    };
  }
}

const OF_A_SEARCH = { accepted: "identified", rejected: "unknown", replayed: "replayed", spoofed: "spoofed" } as const;

/** Say whether somebody speaks live; null where that is not asked. */
async function judged(clip: Clip, { liveness }: Guards): Promise<Liveness | null> {
  return liveness ? liveness.judge(clip) : null;
}

/** Decide in the one order that there is; what is accepted is noted. */
async function settled(store: EnrollmentStore, trial: Compared, verdict: Verdict, live: Liveness | null, guards: Guards): Promise<Outcome> {
  const spoof = live?.spoof ?? null;
  if (!verdict.accepted) return { decision: "rejected", reason: verdict.reason, replay: null, spoof };
  const spoofed = live !== null && live.decision !== "live";
  const replay = await noteAccepted(store, trial.name, trial.clip, guards, spoofed);
  if (replay) return { decision: "replayed", reason: replayWords(replay), replay, spoof };
  if (spoofed) return { decision: "spoofed", reason: live.reason, replay: null, spoof };
  return { decision: "accepted", reason: verdict.reason, replay: null, spoof };
}

/** Say in a sentence that there is too little speech. */
export function tooLittle(seconds: number, minSpeech: number): string {
  return `${fixed(seconds, 1)} s of speech; at least ${general(minSpeech)} s are needed`;
}

/** Say in a sentence that a rate is not promised for so little speech. */
export function tooShort(seconds: number, shortfall: Shortfall): string {
  return `${fixed(seconds, 1)} s of speech is ${shortfallWords(shortfall)}`;
}

function shapeOf(nEnroll: number, quality: ClipQuality): TrialShape {
  return { n_enroll: nEnroll, seconds: quality.seconds_of_speech, snr_db: quality.snr_db };
}
