/** Export files: voiceprints without audio, as the JSON that `voiceprint export` writes and `import` reads. */

import { type Consent, type EnrolledUtterance, isText, isTime, saysSomething, type VoiceprintRecord } from "./records.ts";
import { VoiceprintError } from "../errors.ts";

const FORMAT = "voiceprint-export";
const VERSION = 1;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const ZIP = "PK"; // what an npz file begins with

/** What an export file holds. */
export interface ExportFile {
  readonly model_id: string;
  readonly dim: number;
  readonly opt_outs: readonly { readonly name: string; readonly since: string }[];
  readonly records: readonly VoiceprintRecord[];
}

/** Write voiceprints as the text of an export file. */
export function writeExport({ model_id, dim, opt_outs, records }: ExportFile): string {
  const speakers = records.map((record) => ({
    name: record.name,
    notes: record.notes,
    created: record.created,
    updated: record.updated,
    consent: record.consent,
    expires: record.expires,
    utterances: record.utterances.map(({ clip_sha256, source, added, quality, embedding, fingerprint }) => ({
      clip_sha256,
      source,
      added,
      ...quality,
      ...(fingerprint?.length ? { fingerprint: toBase64(fingerprint) } : {}),
      embedding: Array.from(embedding), // a float32 in decimals and back is exact
    })),
  }));
  return `${JSON.stringify({ format: FORMAT, version: VERSION, model_id, dim, opt_outs, speakers })}\n`;
}

/**
 * Read the text of an export file.
 *
 * @throws VoiceprintError `store` if it is no sound export; the message names the place.
 */
export function readExport(text: string): ExportFile {
  if (text.startsWith(ZIP)) throw unsound("it is in the format npz; write it as .json");
  let document: unknown;
  try {
    document = JSON.parse(text.replace(/^\ufeff/, ""));
  } catch (error) {
    throw unsound(error instanceof Error ? error.message : String(error));
  }
  const head = objectOf(document, "the file");
  if (head.format !== FORMAT) throw unsound(`its format is not ${FORMAT}`);
  if (head.version !== VERSION) throw unsound(`its version is ${JSON.stringify(head.version)}, this program knows ${VERSION}`);
  const optOuts = head.opt_outs === undefined ? [] : listOf(head.opt_outs, "opt_outs");
  return {
    model_id: textOf(head, "model_id", "the file"),
    dim: numberOf(head, "dim", "the file"),
    opt_outs: optOuts.map((each, i) => {
      const fields = objectOf(each, `opt-out ${i + 1}`);
      return { name: textOf(fields, "name", `opt-out ${i + 1}`), since: timeOf(fields, "since", `opt-out ${i + 1}`) };
    }),
    records: listOf(head.speakers, "speakers").map((each, i) => recordOf(each, `speaker ${i + 1}`)),
  };
}

type Fields = Record<string, unknown>;

function recordOf(value: unknown, where: string): VoiceprintRecord {
  const fields = objectOf(value, where);
  return {
    name: textOf(fields, "name", where),
    notes: textOf(fields, "notes", where),
    created: timeOf(fields, "created", where),
    updated: timeOf(fields, "updated", where),
    consent: fields.consent == null ? null : consentOf(fields.consent, where),
    expires: fields.expires == null ? null : timeOf(fields, "expires", where),
    utterances: listOf(fields.utterances, `${where}: utterances`).map((each, i) => utteranceOf(each, `${where}, clip ${i + 1}`)),
  };
}

function consentOf(value: unknown, where: string): Consent {
  const fields = objectOf(value, `${where}: consent`);
  const consent = { by: textOf(fields, "by", where), purpose: textOf(fields, "purpose", where), given: timeOf(fields, "given", where) };
  for (const side of ["by", "purpose"] as const) if (!saysSomething(consent[side])) throw unsound(`${where}: consent: ${side} has no 1 to 500 characters`);
  return consent;
}

function utteranceOf(value: unknown, where: string): EnrolledUtterance {
  const fields = objectOf(value, where);
  const orNull = (key: string) => (fields[key] === null ? null : numberOf(fields, key, where));
  const embedding = listOf(fields.embedding, `${where}: embedding`);
  // An embedding has length 1; what float32 cannot hold is none.
  if (!embedding.every((each) => typeof each === "number" && Math.abs(each) <= 2)) throw unsound(`${where}: embedding holds what is no number up to 2`);
  return {
    clip_sha256: textOf(fields, "clip_sha256", where),
    source: textOf(fields, "source", where),
    added: fields.added === null ? null : timeOf(fields, "added", where),
    quality: {
      seconds: numberOf(fields, "seconds", where),
      seconds_of_speech: numberOf(fields, "seconds_of_speech", where),
      level_dbfs: orNull("level_dbfs"),
      clipped: numberOf(fields, "clipped", where),
      snr_db: orNull("snr_db"),
    },
    embedding: Float32Array.from(embedding as number[]),
    ...(fields.fingerprint === undefined ? {} : { fingerprint: bytesOf(fields, "fingerprint", where) }),
  };
}

function bytesOf(fields: Fields, key: string, where: string): Uint8Array {
  const text = textOf(fields, key, where);
  if (!BASE64.test(text)) throw unsound(`${where}: ${key} is no base64`);
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

function toBase64(bytes: Uint8Array): string {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

function objectOf(value: unknown, where: string): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw unsound(`${where} is no object`);
  return value as Fields;
}

function listOf(value: unknown, where: string): unknown[] {
  if (!Array.isArray(value)) throw unsound(`${where} is no list`);
  return value;
}

function textOf(fields: Fields, key: string, where: string): string {
  const value = fields[key];
  if (!isText(value)) throw unsound(`${where}: ${key} is no text`);
  return value;
}

function numberOf(fields: Fields, key: string, where: string): number {
  const value = fields[key];
  if (typeof value !== "number") throw unsound(`${where}: ${key} is no number`);
  return value;
}

function timeOf(fields: Fields, key: string, where: string): string {
  const value = textOf(fields, key, where);
  if (!isTime(value)) throw unsound(`${where}: ${key} is ${JSON.stringify(value)}, no time with its zone`);
  return value;
}

function unsound(what: string): VoiceprintError {
  return new VoiceprintError("store", `the file is not a sound export: ${what}`);
}
