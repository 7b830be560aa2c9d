/** What goes into a store and comes out of it; times are ISO 8601 with their zone, as in export files. */

import type { ClipQuality } from "../audio/quality.ts";
import { VoiceprintError } from "../errors.ts";
import { centroid } from "../scoring.ts";

/** What an enrollment does where the person is enrolled already. */
export type AddMode = "new" | "add" | "replace";

/** What an import does with people who are enrolled already. */
export type ImportMode = "new" | "skip" | "add" | "replace";

/** One clip of an enrolled person, without its audio. */
export interface EnrolledUtterance {
  readonly embedding: Float32Array;
  readonly clip_sha256: string;
  readonly source: string;
  readonly quality: ClipQuality;
  readonly added: string | null;
  /** By which Python knows the recording again, in base64; kept for it, and not made here. */
  readonly fingerprint?: string;
}

/** Who agreed that a voice is stored, when, and for what. */
export interface Consent {
  readonly by: string;
  readonly purpose: string;
  readonly given: string;
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
    expired: expires !== null && Date.now() >= Date.parse(expires),
  };
}

/** Refuse consent that says nothing, and a time that is none. */
export function checkTerms(consent: Consent | null | undefined, expires: string | null | undefined): void {
  for (const side of consent ? (["by", "purpose"] as const) : []) {
    const text = consent?.[side] ?? "";
    if (!text.trim() || text.length > 500 || text.includes("\0")) {
      throw new VoiceprintError("enrollment", `consent: ${side} is ${JSON.stringify(text.slice(0, 20))}; give 1 to 500 characters`);
    }
  }
  for (const time of [consent?.given, expires]) {
    if (time != null && !isTime(time)) {
      throw new VoiceprintError("enrollment", `${JSON.stringify(time)} is no time with its zone; give it as 2030-01-31T12:00:00Z`);
    }
  }
}

/** Whether a text is a time with its zone. */
export function isTime(text: string): boolean {
  return /(?:Z|[+-]\d\d:?\d\d)$/.test(text) && !Number.isNaN(Date.parse(text));
}
