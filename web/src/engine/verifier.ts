/** Verifier: enroll, verify, identify, compare. The package's front door; in a worker by `openInWorker`. */

import { type Clip, MIN_SPEECH, poolClips, readClip, reportOf } from "../audio/clips.ts";
import type { QualityReport } from "../audio/quality.ts";
import type { ClipSource, ReadOptions } from "../audio/read.ts";
import { MIN_SECONDS } from "../audio/waveform.ts";
import type { TrialShape } from "../calibration/decider.ts";
import { among, far as atRate, type OperatingPoint, threshold as atScore } from "../calibration/operating_point.ts";
import { LivenessCheck } from "../countermeasure/liveness.ts";
import { argumentError, checkNumber, VoiceprintError } from "../errors.ts";
import { type ModelPlace, SpeakerModel } from "../model/speaker_model.ts";
import { cosine } from "../scoring.ts";
import { IndexedDbBackend, MemoryBackend } from "../store/backend.ts";
import { EnrollmentStore, type ImportReport, type Terms } from "../store/enrollment_store.ts";
import { type ExportFile, readExport, writeExport } from "../store/exchange.ts";
import { normalizeName } from "../store/names.ts";
import type { AddMode, Enrollment, ImportMode } from "../store/records.ts";
import { type Comparison, decide, type Identification, type Verification } from "./decisions.ts";
import { type CandidateClip, type ClipReport, judgeClips, measureClip, MIN_ENROLL_SPEECH, thoseThatAgree, utterancesOf } from "./enrollment.ts";
import { Claim, type Compared, type Question, Search, tooLittle, tooShort } from "./questions.ts";
import { type Resemblance, whoResembles } from "./resemblance.ts";
import type { ReplayOptions } from "./replays.ts";
import { DEFAULT_MISS, SequentialTest } from "./sequential.ts";
import { LATEST, LEAST_SPEECH, Session } from "./session.ts";

/** One clip or several, of one voice. */
export type Clips = ClipSource | readonly ClipSource[];

/** How clips are read, and where it is decided: at a score, at a false-accept rate, or as the card says. */
export interface DecideOptions extends ReadOptions {
  readonly threshold?: number;
  readonly far?: number;
  /** Seconds of speech below which there is no verdict, at least 0.1. */
  readonly min_speech?: number;
}

/** Whom a voice is looked for among, and how many of the nearest are told. */
export interface SearchOptions extends DecideOptions, ReplayOptions {
  /** A watch list, of one name or several; everybody unless given. */
  readonly among?: string | readonly string[];
  readonly top?: number;
}

/** How somebody is enrolled. */
export interface EnrollOptions extends ReadOptions, Terms {
  readonly mode?: AddMode;
  /** Seconds of speech that the voiceprint must rest on in all, at least 0.5. */
  readonly min_speech?: number;
  /** With the mode "replace": whether another voice may take the place of the enrolled one. */
  readonly force?: boolean;
}

/** What enrolling somebody did. */
export interface EnrollmentReport {
  readonly enrollment: Enrollment;
  readonly clips: readonly ClipReport[];
  readonly resembles: readonly Resemblance[];
}

/** What a session is asked. */
export interface SessionOptions extends ReplayOptions {
  readonly claim?: string;
  readonly among?: string | readonly string[];
  readonly far?: number;
  readonly miss?: number;
  readonly latest?: number;
  readonly min_speech?: number;
}

/** Where voiceprints are kept: in this browser's database of that name, or nowhere. */
export interface VerifierOptions extends ModelPlace {
  readonly store?: string;
  /**
   * Ask whether somebody speaks live, too: the share of people that may be rejected. As the folder was built unless
   * given; null asks nothing.
   */
  readonly spoof_far?: number | null;
}

/**
 * Enrolls people and recognises them.
 *
 * @example
 * const verifier = await Verifier.open({ model: "/model/", store: "voiceprint" });
 * await verifier.enroll("ada", [first, second]);
 * const { accepted } = await verifier.verify("ada", clip);
 */
export class Verifier {
  constructor(
    readonly model: SpeakerModel,
    readonly store: EnrollmentStore,
    readonly liveness: LivenessCheck | null = null,
  ) {}

  /** Load a model, and open a store; without a name nothing is kept. */
  static async open({ store, spoof_far, ...place }: VerifierOptions): Promise<Verifier> {
    const model = await SpeakerModel.open(place);
    const liveness = livenessOf(model, spoof_far);
    const backend = store === undefined ? new MemoryBackend() : await IndexedDbBackend.open(store);
    return new Verifier(model, new EnrollmentStore(backend, model.id, model.card.dim), liveness);
  }

  /** Make, extend or replace somebody's voiceprint; clips that cannot be used are set aside and named. */
  async enroll(name: string, clips: Clips, options: EnrollOptions = {}): Promise<EnrollmentReport> {
    const { mode = "new", min_speech = MIN_ENROLL_SPEECH, force = false, notes, consent, expires, ...reading } = options;
    const normal = normalizeName(name);
    checkNumber("min_speech", min_speech, { least: MIN_SPEECH });
    await this.store.checkMode(normal, mode);
    const { decider } = this.model;
    const candidates: CandidateClip[] = [];
    for (const clip of listed(clips)) candidates.push(await measureClip(clip, this.model, reading, this.liveness));
    let judged = candidates;
    const enrollment = await this.store.addJudged(
      normal,
      (enrolled, enrolled_clips) => {
        judged = judgeClips(normal, candidates, { decider, enrolled, enrolled_clips, min_speech });
        return utterancesOf(judged);
      },
      { mode, terms: { notes, consent, expires }, replacing: force ? undefined : (enrolled) => this.#refuseAnotherVoice(enrolled, candidates) },
    );
    const traces = judged.flatMap(({ trace }) => trace ?? []);
    const resembles = await whoResembles(enrollment, traces, this.store, decider);
    return { enrollment, clips: judged.map(({ report }) => report), resembles };
  }

  /**
   * Answer whether the clips are of the person they are claimed to be.
   *
   * @throws VoiceprintError `speaker_not_found`, `audio`, `argument` or `not_calibrated`.
   */
  async verify(name: string, clips: Clips, options: DecideOptions & ReplayOptions = {}): Promise<Verification> {
    const point = this.#point(options);
    const claim = new Claim(this.store, this.model.decider, name, { allow_replay: options.allow_replay, liveness: this.liveness });
    return (await claim.refusal()) ?? this.#ask(claim, clips, point, options);
  }

  /** Answer which enrolled person the clips are of, if any; the set is open. */
  async identify(clips: Clips, options: SearchOptions = {}): Promise<Identification> {
    const { among: watched, top = 5, allow_replay } = options;
    if (!Number.isInteger(top) || top < 1) throw argumentError("top", top, "a whole number from 1 on");
    const point = this.#point(options);
    const search = new Search(this.store, this.model.decider, { among: watched, top, allow_replay, liveness: this.liveness });
    await search.refusal();
    return this.#ask(search, clips, point, options);
  }

  /** Answer whether two sides hold the same voice; nobody needs to be enrolled. */
  async compare(a: Clips, b: Clips, options: DecideOptions = {}): Promise<Comparison> {
    const point = this.#point(options);
    const { min_speech = MIN_SPEECH } = options;
    const sides = [await this.#read(a, options), await this.#read(b, options)] as const;
    const speech = [sides[0].quality.seconds_of_speech, sides[1].quality.seconds_of_speech] as const;
    const shorter = Math.min(...speech);
    const none = (reason: string, shortfall: Comparison["shortfall"] = null): Comparison => ({
      same: false, decision: "not_enough_speech", score: null, llr: null, threshold: null, threshold_source: null,
      seconds_of_speech: speech, model: this.model.id, reason, shortfall,
      quality_notes: [reportOf(sides[0]).quality_notes, reportOf(sides[1]).quality_notes],
    });
    if (shorter < min_speech) return none(tooLittle(shorter, min_speech));
    const noise = sides.map(({ quality }) => quality.snr_db).filter((snr) => snr !== null);
    const shape: TrialShape = { n_enroll: 1, seconds: shorter, snr_db: noise.length ? Math.min(...noise) : null };
    const shortfall = this.model.decider.shortfall(shape, point);
    if (shortfall) return none(tooShort(shorter, shortfall), shortfall);
    const score = cosine(await this.model.embed(sides[0].speech), await this.model.embed(sides[1].speech));
    const { accepted, ...verdict } = decide(score, shape, point, this.model.decider);
    const { llr, threshold, threshold_source, reason } = verdict;
    return { ...none(reason), same: accepted, decision: accepted ? "same" : "different", score, llr, threshold, threshold_source };
  }

  /** Measure a clip: length, speech, level, clipping, signal-to-noise ratio, and what is poor about it. */
  async quality(clip: ClipSource, options: ReadOptions = {}): Promise<QualityReport> {
    return reportOf(await this.#read(clip, options));
  }

  /** Embed the speech of clips; of unit length. */
  async embed(clips: Clips, options: ReadOptions = {}): Promise<Float32Array> {
    return this.model.embed((await this.#read(clips, options)).speech);
  }

  /** Open a session that answers while somebody speaks, as soon as the evidence suffices. */
  session({ claim, among: watched, far, miss = DEFAULT_MISS, latest = LATEST, min_speech = LEAST_SPEECH, allow_replay }: SessionOptions = {}): Session {
    if (claim !== undefined && watched !== undefined) throw argumentError("among", watched, "left out where somebody is claimed");
    const { decision } = this.model.card;
    const point = far === undefined ? decision : atRate(far);
    const test = new SequentialTest(point.kind === "far" ? point.p_fa : 0.01, miss, point);
    const { decider } = this.model;
    const { liveness } = this;
    const guards = { allow_replay, liveness };
    const question = claim === undefined ? new Search(this.store, decider, { among: watched, ...guards }) : new Claim(this.store, decider, claim, guards);
    return new Session(this.model, question, test, { latest, min_speech }, liveness?.leastSeconds);
  }

  /** Names of the enrolled people, sorted. */
  speakers(): Promise<string[]> {
    return this.store.names();
  }

  /** Somebody's voiceprint. */
  show(name: string): Promise<Enrollment> {
    return this.store.get(name);
  }

  /** Give somebody's voiceprint another name. */
  async rename(old: string, name: string): Promise<void> {
    await this.store.rename(old, name);
  }

  /** Erase somebody's voiceprint, and by what their recordings are known again. */
  remove(name: string): Promise<void> {
    return this.store.remove(name);
  }

  /** Write voiceprints as the text of an export file (`.json`); everybody's, with who opted out, unless names are given. */
  async exportPeople(names?: readonly string[]): Promise<string> {
    const records = names ? await Promise.all(names.map((name) => this.store.record(name))) : await this.store.records();
    const opt_outs = names ? [] : await this.store.optOuts();
    return writeExport({ model_id: this.model.id, dim: this.model.card.dim, opt_outs, records });
  }

  /**
   * Take in the voiceprints of an export file, all or none of them.
   *
   * @throws VoiceprintError `model_mismatch` if another model made them, `store` if the file is not sound.
   */
  async importPeople(text: string, { mode = "new" }: { mode?: ImportMode } = {}): Promise<ImportReport> {
    const exported: ExportFile = readExport(text);
    if (exported.model_id !== this.model.id) {
      const made = exported.model_id.slice(0, 12);
      throw new VoiceprintError("model_mismatch", `the file's voiceprints were made with the model ${made}..., this is ${this.model.id.slice(0, 12)}...`);
    }
    const { decider } = this.model;
    return this.store.importRecords(exported.records, {
      mode,
      optOuts: exported.opt_outs,
      judge: (enrolled, clips) => thoseThatAgree(enrolled, clips, decider),
    });
  }

  /** Refuse clips of which half or more disagree with the voiceprint that they are to replace. */
  #refuseAnotherVoice(enrolled: Enrollment, candidates: readonly CandidateClip[]): void {
    const { decider } = this.model;
    const used = judgeClips(enrolled.name, candidates, { decider, min_speech: 0 }).filter(({ embedding }) => embedding);
    let agreeing = 0;
    try {
      agreeing = judgeClips(enrolled.name, used, { decider, enrolled, min_speech: 0 }).filter(({ embedding }) => embedding).length;
    } catch (error) {
      if (!(error instanceof VoiceprintError)) throw error;
    }
    if (2 * agreeing > used.length) return;
    throw new VoiceprintError("enrollment", `the clips disagree with the voiceprint of ${JSON.stringify(enrolled.name)}`, { another_voice: true });
  }

  async #ask<Answer>(question: Question<Answer>, clips: Clips, point: OperatingPoint, options: DecideOptions): Promise<Answer> {
    const { min_speech = MIN_SPEECH } = options;
    const clip = await this.#read(clips, options);
    if (clip.quality.seconds_of_speech < min_speech) return question.tooLittle(clip, min_speech);
    const compared = await question.compare(clip, await this.model.embed(clip.speech));
    if ("answer" in compared) return compared.answer;
    const { trial }: { trial: Compared } = compared;
    const shortfall = this.model.decider.shortfall(trial.shape, point);
    if (shortfall) return question.tooShort(trial, shortfall);
    return question.answer(trial, decide(trial.score, trial.shape, among(point, trial.people), this.model.decider));
  }

  #point({ threshold, far, min_speech = MIN_SPEECH }: DecideOptions): OperatingPoint {
    if (threshold !== undefined && far !== undefined) throw argumentError("threshold", threshold, "left out where a rate is given");
    checkNumber("min_speech", min_speech, { least: MIN_SECONDS });
    if (threshold !== undefined) return atScore(threshold);
    return far === undefined ? this.model.card.decision : atRate(far);
  }

  /** Read one clip or several of one voice, and pool their speech. */
  async #read(clips: Clips, { channel, max_seconds, source }: ReadOptions): Promise<Clip> {
    const sources = listed(clips);
    if (!sources.length) throw argumentError("clips", [], "one clip or more");
    const read: Clip[] = [];
    for (const each of sources) read.push(await readClip(each, this.model.detector, { channel, max_seconds, source }));
    return poolClips(read);
  }
}

/** What asks whether somebody speaks live, at the given rate or the folder's. */
function livenessOf({ countermeasure }: SpeakerModel, given: number | null | undefined): LivenessCheck | null {
  const rate = given === undefined ? countermeasure?.card.data.spoof_far : given;
  if (rate === undefined || rate === null) return null;
  if (countermeasure) return new LivenessCheck(countermeasure, rate);
  throw new VoiceprintError("model", "the folder holds no countermeasure: build it with --spoof-far");
}

function listed(clips: Clips): readonly ClipSource[] {
  return Array.isArray(clips) ? clips : [clips as ClipSource];
}
