/** What goes into a store and comes out of it; times are ISO 8601 with their zone, as in export files. */

import type { ClipQuality } from "../audio/quality.ts";
import { VoiceprintError } from "../errors.ts";
import { centroid } from "../scoring.ts";

const MAX_CONSENT_LENGTH = 500;
const FIRST_YEAR = 1900; // of consent, expiry and opting out
const LAST_YEAR = 9000;

/** What an enrollment does where the person is enrolled already. */
export const ADD_MODES = ["new", "add", "replace"] as const;
export type AddMode = (typeof ADD_MODES)[number];

/** What an import does with people who are enrolled already. */
export const IMPORT_MODES = ["new", "skip", "add", "replace"] as const;
export type ImportMode = (typeof IMPORT_MODES)[number];

/** One clip of an enrolled person, without its audio. */
export interface EnrolledUtterance {
  readonly embedding: Float32Array;
  readonly clip_sha256: string;
  readonly source: string;
  readonly quality: ClipQuality;
  readonly added: string | null;
  /** By which the recording is known again; left out where it has none. */
  readonly fingerprint?: Uint8Array;
}

/** Who agreed that a voice is stored, when, and for what. */
export interface Consent {
  readonly by: string;
  readonly purpose: string;
  readonly given: string;
}

/** A recording by which somebody was accepted, without its audio. */
export interface AcceptedRecording {
  readonly at: string;
  /** Of its samples; empty of what was said live. */
  readonly sha256: string;
  readonly fingerprint: Uint8Array;
}

/** A whole voiceprint, as it is kept and exported. */
export interface VoiceprintRecord {
  readonly name: string;
  readonly notes: string;
  readonly created: string;
  readonly updated: string;
  readonly consent: Consent | null;
  readonly expires: string | null;
  readonly utterances: readonly EnrolledUtterance[];
}

/** One enrolled person, as the engine sees them. */
export interface Enrollment {
  readonly name: string;
  readonly n_utterances: number;
  readonly seconds_of_speech: number;
  readonly model_id: string;
  readonly created: string;
  readonly updated: string;
  readonly notes: string;
  readonly centroid: Float32Array;
  readonly consent: Consent | null;
  readonly expires: string | null;
  readonly expired: boolean;
}

/** One enrolled person in a search's answer. */
export interface StoreHit {
  readonly name: string;
  readonly score: number;
  readonly n_utterances: number;
}

/** The voiceprint of a record, as it stands now. */
export function enrollmentOf(record: VoiceprintRecord, modelId: string): Enrollment {
  const { utterances, expires } = record;
  return {
    name: record.name,
    n_utterances: utterances.length,
    seconds_of_speech: utterances.reduce((sum, { quality }) => sum + quality.seconds_of_speech, 0),
    model_id: modelId,
    created: record.created,
    updated: record.updated,
    notes: record.notes,
    centroid: centroid(utterances.map(({ embedding }) => embedding)),
    consent: record.consent,
    expires,
    expired: hasEnded(expires),
  };
}

/** Whether a time at which a voiceprint ends has come; null: it never ends. */
export function hasEnded(expires: string | null): boolean {
  return expires !== null && Date.now() >= Date.parse(expires);
}

/** Refuse consent that says nothing, a time that is none, and notes that are no text. */
export function checkTerms(consent: Consent | null | undefined, expires: string | null | undefined, notes = ""): void {
  const refuse = (what: string) => new VoiceprintError("enrollment", what);
  for (const side of consent ? (["by", "purpose"] as const) : []) {
    const text = consent?.[side];
    if (!isText(text) || !saysSomething(text)) throw refuse(`consent: ${side} is ${shown(text)}; give 1 to ${MAX_CONSENT_LENGTH} characters`);
  }
  for (const time of [...(consent ? [consent.given] : []), ...(expires == null ? [] : [expires])]) {
    if (!isText(time) || !isTime(time)) throw refuse(`${shown(time)} is no time with its zone; give it as 2030-01-31T12:00:00Z`);
  }
  if (!isText(notes)) throw refuse(`notes are ${shown(notes)}; give text`);
}

const shown = (value: unknown): string => String(JSON.stringify(value)).slice(0, 30);

/** Whether something is text that a file can hold. */
export function isText(value: unknown): value is string {
  return typeof value === "string" && !/[\0\p{Surrogate}]/u.test(value);
}

/** Whether a text can be a side of consent. */
export function saysSomething(text: string): boolean {
  return text.trim() !== "" && text.length <= MAX_CONSENT_LENGTH;
}

/** Whether a text is a time with its zone, as Python reads it too. */
export function isTime(text: string): boolean {
  const [, year] = /^(\d{4})-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)$/.exec(text) ?? [];
  return Number(year) >= FIRST_YEAR && Number(year) <= LAST_YEAR && !Number.isNaN(Date.parse(text));
}
