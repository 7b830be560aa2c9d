/** EnrollmentStore: voiceprints of one model, in memory or in the browser's database. */

import { type Backend, type Rows, TABLES } from "./backend.ts";
import { fileName, normalizeName, refuseReserved } from "./names.ts";
import {
  type AcceptedRecording,
  ADD_MODES,
  type AddMode,
  checkTerms,
  type Consent,
  type EnrolledUtterance,
  type Enrollment,
  enrollmentOf,
  hasEnded,
  IMPORT_MODES,
  type ImportMode,
  type StoreHit,
  type VoiceprintRecord,
} from "./records.ts";
import { allSeen, remembered, type SeenRecording } from "./seen.ts";
import { isFingerprint } from "../audio/fingerprint.ts";
import { checkChoice, VoiceprintError } from "../errors.ts";
import { cosine } from "../scoring.ts";

const HEADER = "model";
const UNIT_TOLERANCE = 1e-3; // how far from 1 the length of an embedding may be

interface Header {
  readonly model_id: string;
  readonly dim: number;
}

/** What is noted beside a voiceprint. */
export interface Terms {
  readonly notes?: string;
  readonly consent?: Consent | null;
  readonly expires?: string | null;
}

/** Chooses the clips to enroll, by the voiceprint they join (null for a new one) and its clips. */
export type Judge = (enrolled: Enrollment | null, clips: readonly EnrolledUtterance[]) => readonly EnrolledUtterance[];

/** Chooses the clips of a file that may join a voiceprint. */
export type ImportJudge = (enrolled: Enrollment, clips: readonly EnrolledUtterance[]) => readonly EnrolledUtterance[];

/** What an import did, by names. */
export interface ImportReport {
  readonly added: readonly string[];
  readonly changed: readonly string[];
  readonly skipped: readonly string[];
  readonly opted_out: readonly string[];
  /** Clips that did not join a voiceprint because they sound like another person. */
  readonly set_aside: readonly SetAsideClip[];
}

/** A clip of an import that did not join a voiceprint. */
export interface SetAsideClip {
  readonly name: string;
  readonly source: string;
}

/** Keeps who is enrolled. Every change is one transaction: other tabs see it whole or not at all. */
export class EnrollmentStore {
  constructor(
    readonly backend: Backend,
    readonly modelId: string,
    readonly dim: number,
  ) {}

  /** Names of the enrolled people, sorted. */
  names(): Promise<string[]> {
    return this.backend.run("readonly", (rows) => rows.keys("people"));
  }

  /** Somebody's voiceprint; `speaker_not_found` if nobody of that name is enrolled. */
  async get(name: string): Promise<Enrollment> {
    return enrollmentOf(await this.record(name), this.modelId);
  }

  /** Everything that is kept of a person. */
  async record(name: string): Promise<VoiceprintRecord> {
    const normal = normalizeName(name);
    return this.#read(async (rows) => {
      const found = await rows.get<VoiceprintRecord>("people", normal);
      if (!found) throw notFound(normal);
      return found;
    });
  }

  /** Everything that is kept, sorted by names. */
  records(): Promise<VoiceprintRecord[]> {
    return this.#read((rows) => rows.all<VoiceprintRecord>("people"));
  }

  /** Score an embedding against everybody whose voiceprint has not expired; best first. */
  async search(embedding: Float32Array, among?: readonly string[]): Promise<StoreHit[]> {
    const people = among ? await Promise.all(among.map((name) => this.record(name))) : await this.records();
    return people
      .map((record) => enrollmentOf(record, this.modelId))
      .filter(({ expired }) => !expired)
      .map(({ name, centroid, n_utterances }) => ({ name, n_utterances, score: cosine(centroid, embedding) }))
      .sort((a, b) => b.score - a.score || (a.name < b.name ? -1 : 1));
  }

  /** Raise what enrolling somebody in this mode would raise, whatever the clips are. */
  async checkMode(name: string, mode: AddMode): Promise<void> {
    const normal = normalizeName(name);
    checkChoice("mode", mode, ADD_MODES);
    return this.#read(async (rows) => void (await existing(rows, normal, mode)));
  }

  /** The recordings of a person that were enrolled or accepted; none if nobody of that name is enrolled. */
  async seen(name: string): Promise<SeenRecording[]> {
    const normal = normalizeName(name);
    return this.backend.run("readonly", async (rows) => {
      const record = await rows.get<VoiceprintRecord>("people", normal);
      return record ? allSeen(record, await acceptedOf(rows, normal)) : [];
    });
  }

  /**
   * Remember by which recordings somebody was accepted, unless one of them was seen before.
   *
   * @param seenBefore What it returns of all that was seen ends it, unless that is null, and nothing is changed.
   */
  async noteAccepted<Found>(
    name: string,
    recordings: readonly AcceptedRecording[],
    seenBefore: (seen: readonly SeenRecording[]) => Found | null,
  ): Promise<Found | null> {
    const normal = normalizeName(name);
    return this.backend.run("readwrite", async (rows) => {
      const record = await rows.get<VoiceprintRecord>("people", normal);
      if (!record) return null;
      const accepted = await acceptedOf(rows, normal);
      const found = seenBefore(allSeen(record, accepted));
      if (found === null) rows.put("recordings", normal, remembered([...accepted, ...recordings]));
      return found;
    });
  }

  /** Enroll the clips that `judge` chooses once nobody else can change the voiceprint any more. */
  async addJudged(
    name: string,
    judge: Judge,
    { mode, terms = {}, replacing = () => {} }: { mode: AddMode; terms?: Terms; replacing?: (enrolled: Enrollment) => void },
  ): Promise<Enrollment> {
    checkTerms(terms.consent, terms.expires, terms.notes);
    checkChoice("mode", mode, ADD_MODES);
    const normal = normalizeName(name);
    return this.backend.run("readwrite", async (rows) => {
      await this.#take(rows);
      const before = await existing(rows, normal, mode);
      const held = mode === "replace" ? undefined : before;
      if (before && !held) replacing(enrollmentOf(before, this.modelId));
      const utterances = judge(held ? enrollmentOf(held, this.modelId) : null, held?.utterances ?? []);
      const after = merged(before, held, given(normal, utterances, terms), this.dim);
      const enrollment = enrollmentOf(after, this.modelId);
      if (enrollment.expired) {
        throw new VoiceprintError("speaker_expired", `what ${JSON.stringify(normal)} agreed to has ended; name a later end`, { name: normal });
      }
      rows.put("people", normal, after);
      return enrollment;
    });
  }

  /** Erase somebody's voiceprint. */
  async remove(name: string): Promise<void> {
    const normal = normalizeName(name);
    return this.backend.run("readwrite", async (rows) => {
      if (!(await rows.get("people", normal))) throw notFound(normal);
      erase(rows, normal);
    });
  }

  /** Give somebody's voiceprint another name; `speaker_exists` if somebody has it. */
  async rename(old: string, name: string): Promise<Enrollment> {
    const [from, to] = [normalizeName(old), normalizeName(name)];
    refuseReserved(to);
    return this.backend.run("readwrite", async (rows) => {
      if (await rows.get("opt_outs", to)) throw optedOut(to);
      const before = await rows.get<VoiceprintRecord>("people", from);
      if (!before) throw notFound(from);
      if (from !== to && (await rows.get("people", to))) throw exists(to, "remove or rename them first");
      const after = { ...before, name: to, updated: new Date().toISOString() };
      const accepted = await acceptedOf(rows, from);
      erase(rows, from);
      rows.put("people", to, after);
      rows.put("recordings", to, accepted);
      return enrollmentOf(after, this.modelId);
    });
  }

  /** Erase every voiceprint whose time has ended; returns whose. */
  removeExpired(): Promise<string[]> {
    return this.backend.run("readwrite", async (rows) => {
      const expired = (await rows.all<VoiceprintRecord>("people")).filter(({ expires }) => hasEnded(expires)).map(({ name }) => name);
      for (const name of expired) erase(rows, name);
      return expired;
    });
  }

  /** Erase everybody and everything, also what another model made. */
  forgetEverything(): Promise<void> {
    return this.backend.run("readwrite", async (rows) => {
      for (const table of TABLES) {
        for (const key of await rows.keys(table)) rows.delete(table, key);
      }
    });
  }

  /** Note what somebody agreed to and until when, in the place of what was noted before. */
  async setTerms(name: string, { consent, expires }: { consent: Consent | null; expires: string | null }): Promise<Enrollment> {
    checkTerms(consent, expires);
    const normal = normalizeName(name);
    return this.backend.run("readwrite", async (rows) => {
      const before = await rows.get<VoiceprintRecord>("people", normal);
      if (!before) throw notFound(normal);
      const after = { ...before, consent, expires, updated: new Date().toISOString() };
      rows.put("people", normal, after);
      return enrollmentOf(after, this.modelId);
    });
  }

  /** Erase somebody who does not want to be enrolled, until `optIn`; who opted out before keeps their time. */
  async optOut(name: string, since = new Date().toISOString()): Promise<void> {
    const normal = normalizeName(name);
    checkTerms(null, since);
    return this.backend.run("readwrite", async (rows) => {
      erase(rows, normal);
      if (!(await rows.get("opt_outs", normal))) rows.put("opt_outs", normal, { name: normal, since });
    });
  }

  /** Let somebody be enrolled again. */
  async optIn(name: string): Promise<void> {
    const normal = normalizeName(name);
    return this.backend.run("readwrite", async (rows) => {
      if (!(await rows.get("opt_outs", normal))) throw notFound(normal);
      rows.delete("opt_outs", normal);
    });
  }

  /** Who opted out, and since when. */
  optOuts(): Promise<{ name: string; since: string }[]> {
    return this.backend.run("readonly", (rows) => rows.all("opt_outs"));
  }

  /**
   * Take in voiceprints, all or none of them; whoever opted out where they were written is opted out and
   * removed here.
   *
   * @param judge For the mode "add": which clips may join a voiceprint.
   */
  importRecords(
    records: readonly VoiceprintRecord[],
    { mode, optOuts, judge }: { mode: ImportMode; optOuts: readonly { name: string; since: string }[]; judge: ImportJudge },
  ): Promise<ImportReport> {
    checkChoice("mode", mode, IMPORT_MODES);
    return this.backend.run("readwrite", async (rows) => {
      await this.#take(rows);
      const report = { added: [] as string[], changed: [] as string[], skipped: [] as string[], opted_out: [] as string[], set_aside: [] as SetAsideClip[] };
      for (const { name, since } of optOuts.map((each) => ({ ...each, name: normalizeName(each.name) }))) {
        if (await rows.get("opt_outs", name)) continue;
        erase(rows, name);
        rows.put("opt_outs", name, { name, since });
        report.opted_out.push(name);
      }
      for (const record of records) {
        const name = normalizeName(record.name);
        const outcome = await this.#import(rows, { ...record, name }, mode, (enrolled, clips) => {
          const joining = judge(enrolled, clips);
          report.set_aside.push(...clips.filter((clip) => !joining.includes(clip)).map(({ source }) => ({ name, source: fileName(source) })));
          return joining;
        });
        report[outcome].push(name);
      }
      return report;
    });
  }

  async #import(rows: Rows, record: VoiceprintRecord, mode: ImportMode, judge: ImportJudge): Promise<"added" | "changed" | "skipped"> {
    const { name } = record;
    if (await rows.get("opt_outs", name)) {
      if (mode === "skip") return "skipped";
      throw optedOut(name);
    }
    const before = await rows.get<VoiceprintRecord>("people", name);
    if (before && mode === "new") throw exists(name, "nothing was imported");
    if (before && mode === "skip") return "skipped";
    checkUtterances(name, record.utterances, this.dim);
    let joining = record;
    if (before && mode === "add") {
      const held = new Set(before.utterances.map(({ clip_sha256 }) => clip_sha256));
      const fresh = record.utterances.filter(({ clip_sha256 }) => !held.has(clip_sha256));
      const agreeing = fresh.length ? judge(enrollmentOf(before, this.modelId), fresh) : [];
      if (!agreeing.length) return "skipped";
      joining = { ...record, utterances: agreeing };
    }
    rows.put("people", name, merged(before, mode === "replace" ? undefined : before, joining, this.dim));
    return before ? "changed" : "added";
  }

  /** Read rows that are of this model. */
  #read<Result>(work: (rows: Rows) => Promise<Result>): Promise<Result> {
    return this.backend.run("readonly", async (rows) => {
      await this.#check(rows);
      return work(rows);
    });
  }

  /** Make the store one of this model, if it is of none. */
  async #take(rows: Rows): Promise<void> {
    if (!(await this.#check(rows))) rows.put("header", HEADER, { model_id: this.modelId, dim: this.dim } satisfies Header);
  }

  async #check(rows: Rows): Promise<boolean> {
    const header = await rows.get<Header>("header", HEADER);
    if (!header || header.model_id === this.modelId) return Boolean(header);
    if (!(await rows.keys("people")).length) return false;
    throw new VoiceprintError(
      "model_mismatch",
      `the voiceprints here were made with another model (${header.model_id.slice(0, 12)}...); enroll anew with this one`,
      { model_id: header.model_id },
    );
  }
}

/** The recordings by which somebody was accepted; beside the voiceprints, so that a search need not read them. */
async function acceptedOf(rows: Rows, name: string): Promise<readonly AcceptedRecording[]> {
  return (await rows.get<AcceptedRecording[]>("recordings", name)) ?? [];
}

/** Take everything about a person out. */
function erase(rows: Rows, name: string): void {
  rows.delete("people", name);
  rows.delete("recordings", name);
}

async function existing(rows: Rows, name: string, mode: AddMode): Promise<VoiceprintRecord | undefined> {
  if (await rows.get("opt_outs", name)) throw optedOut(name);
  const found = await rows.get<VoiceprintRecord>("people", name);
  if (!found && mode === "add") throw notFound(name);
  if (found && mode === "new") throw exists(name, "choose mode add or replace");
  if (!found) refuseReserved(name);
  return found;
}

/** A record of clips that are given now. */
function given(name: string, utterances: readonly EnrolledUtterance[], terms: Terms): VoiceprintRecord {
  const now = new Date().toISOString();
  const { notes = "", consent = null, expires = null } = terms;
  return { name, notes, created: now, updated: now, consent, expires, utterances };
}

/** Add a record's clips to those that are held, and its terms to those that were noted before. */
function merged(before: VoiceprintRecord | undefined, held: VoiceprintRecord | undefined, record: VoiceprintRecord, dim: number): VoiceprintRecord {
  checkUtterances(record.name, record.utterances, dim);
  const clips = new Map(held?.utterances.map((each) => [each.clip_sha256, each]));
  for (const each of record.utterances) {
    if (!clips.has(each.clip_sha256)) clips.set(each.clip_sha256, { ...each, source: fileName(each.source), added: each.added ?? record.updated });
  }
  const utterances = [...clips.values()];
  if (!before) return { ...record, utterances };
  return {
    ...before,
    utterances,
    updated: record.updated,
    notes: record.notes || before.notes,
    consent: record.consent ?? before.consent,
    expires: record.expires ?? before.expires,
  };
}

function checkUtterances(name: string, utterances: readonly EnrolledUtterance[], dim: number): void {
  if (!utterances.length) throw new VoiceprintError("enrollment", `no clips were given to enroll ${JSON.stringify(name)}; give at least one`, { name });
  for (const { embedding, clip_sha256: hash, source, quality, fingerprint } of utterances) {
    const length = Math.hypot(...embedding);
    const numbers = Object.values(quality).filter((value) => value !== null);
    const wrong =
      embedding.length !== dim ? `has an embedding of ${embedding.length} numbers, not ${dim}`
      : !(Math.abs(length - 1) <= UNIT_TOLERANCE) ? `has an embedding of length ${length}, not 1`
      : !/^[0-9a-f]{64}$/.test(hash) ? "has a hash that is not 64 lower-case hexadecimal digits"
      : fingerprint && !isFingerprint(fingerprint) ? "has a fingerprint that is none"
      : !numbers.every(Number.isFinite) || Math.min(quality.seconds, quality.seconds_of_speech) < 0 ? "has a quality that cannot be"
      : null;
    if (wrong) throw new VoiceprintError("enrollment", `${JSON.stringify(name)}: clip ${JSON.stringify(source)} ${wrong}`, { name });
  }
}

const notFound = (name: string) => new VoiceprintError("speaker_not_found", `nobody named ${JSON.stringify(name)} is enrolled`, { name });
const exists = (name: string, what: string) => new VoiceprintError("speaker_exists", `${JSON.stringify(name)} is enrolled already; ${what}`, { name });
const optedOut = (name: string) => new VoiceprintError("speaker_opted_out", `${JSON.stringify(name)} does not want to be enrolled`, { name });
