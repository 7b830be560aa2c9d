/** The server's HTTP API, as far as the page asks it, answered by an engine in this tab. */

import { VoiceprintError } from "../errors.ts";
import type { EnrollmentReport } from "../engine/verifier.ts";
import type { Consent, Enrollment } from "../store/records.ts";
import type { RemoteVerifier } from "../worker/client.ts";

/** What the page sends along. */
export type Body = FormData | string | undefined;

type Handler = (engine: RemoteVerifier, name: string, body: Body) => Promise<unknown>;

const MAX_SECONDS = 120; // of a clip; what the encoder holds in memory stays bounded
const MAX_CLIPS = 20;
const MAX_BYTES = 64 << 20;

/** Method and path -> what answers; `*` is a name. */
const ROUTES: readonly (readonly [method: string, path: string, handler: Handler])[] = [
  ["GET", "/v1/access", async () => access()],
  ["POST", "/v1/speakers/search", (engine, _, body) => search(engine, fields(body))],
  ["POST", "/v1/speakers", (engine, _, body) => enroll(engine, text(form(body), "name") ?? "", "new", form(body))],
  ["POST", "/v1/speakers/*/enrollments", (engine, name, body) => enroll(engine, name, modeOf(form(body)), form(body))],
  ["POST", "/v1/speakers/*/verify", (engine, name, body) => verify(engine, name, clipOf(body))],
  ["PUT", "/v1/speakers/*/consent", (engine, name, body) => setTerms(engine, name, fields(body))],
  ["DELETE", "/v1/speakers/*", (engine, name) => engine.remove(name)],
  ["POST", "/v1/identify", async (engine, _, body) => ({ ...(await engine.identify(clipOf(body), LIMIT)), flagged: false })],
  ["POST", "/v1/quality", (engine, _, body) => engine.quality(clipOf(body), LIMIT)],
  ["GET", "/v1/opt-outs", async (engine) => ({ names: (await engine.optOuts()).map(({ name }) => name) })],
  ["PUT", "/v1/opt-outs/*", (engine, name) => engine.optOut(name)],
  ["DELETE", "/v1/opt-outs/*", (engine, name) => engine.optIn(name)],
];
const LIMIT = { max_seconds: MAX_SECONDS };

/** Whether an answer needs no engine: the page may show what it can do before the model is there. */
export const needsNoEngine = (path: string): boolean => path === "/v1/access";

/** What this page may do: everything but what takes a server. */
export function access(): object {
  return {
    key_needed: false,
    key: null,
    scopes: ["verify", "enroll", "admin"],
    max_seconds: MAX_SECONDS,
    max_clips: MAX_CLIPS,
    max_audio: MAX_SECONDS * MAX_CLIPS,
    max_body: MAX_BYTES,
    max_recording: 0,
    max_recording_body: 0,
    consent_needed: true,
  };
}

/**
 * Answer a request.
 *
 * @throws VoiceprintError as the engine.
 */
export async function answerOf(engine: RemoteVerifier, method: string, path: string, body: Body): Promise<unknown> {
  for (const [wanted, pattern, handler] of ROUTES) {
    const found = wanted === method && new RegExp(`^${pattern.replace("*", "([^/]+)")}$`).exec(path);
    if (found) return handler(engine, decodeURIComponent(found[1] ?? ""), body);
  }
  throw new Error(`this page answers no ${method} ${path}`);
}

/** The answer to a claim of which nobody is enrolled. */
export function notEnrolled(engine: RemoteVerifier, name: string): object {
  const nothing = { score: null, llr: null, threshold: null, threshold_source: null, seconds_of_speech: null, shortfall: null, replay: null, spoof: null };
  return { ...nothing, name, decision: "not_enrolled", accepted: false, model: engine.card.id, quality_notes: [] };
}

async function verify(engine: RemoteVerifier, name: string, clip: File): Promise<unknown> {
  try {
    return await engine.verify(name, clip, LIMIT);
  } catch (error) {
    if (error instanceof VoiceprintError && error.code === "speaker_not_found") return notEnrolled(engine, name);
    throw error;
  }
}

async function search(engine: RemoteVerifier, { search: wanted = "", after = 0, limit = 100 }: Record<string, unknown>): Promise<unknown> {
  const names = (await engine.speakers()).filter((name) => plain(name).includes(plain(String(wanted))));
  const end = Number(after) + Number(limit);
  const people = await Promise.all(names.slice(Number(after), end).map((name) => engine.show(name)));
  return { speakers: people.map(speakerOf), next: names.length > end ? end : null, total: names.length };
}

async function enroll(engine: RemoteVerifier, name: string, mode: "new" | "add" | "replace", given: FormData): Promise<unknown> {
  const by = text(given, "consent_by");
  const purpose = text(given, "consent_purpose");
  const consent: Consent | null = by && purpose ? { by, purpose, given: new Date().toISOString() } : null;
  const held = mode === "new" ? null : await engine.show(name); // who is not enrolled is told
  if (!consent && (mode !== "add" || !held?.consent)) throw withoutConsent(name);
  const options = { ...LIMIT, mode, consent, expires: text(given, "expires"), force: text(given, "force") === "true" };
  const { enrollment, clips, resembles }: EnrollmentReport = await engine.enroll(name, filesOf(given, "clips"), options);
  navigator.storage?.persist().catch(() => {}); // so that the browser does not make room of voiceprints
  return { speaker: speakerOf(enrollment), clips, resembles };
}

async function setTerms(engine: RemoteVerifier, name: string, terms: Record<string, unknown>): Promise<unknown> {
  const { consent_by: by, consent_purpose: purpose, expires } = terms as Record<string, string | null | undefined>;
  if (!by || !purpose) throw withoutConsent(name);
  const consent = { by, purpose, given: new Date().toISOString() };
  return speakerOf(await engine.setTerms(name, { consent, expires: expires ?? null }));
}

const withoutConsent = (name: string) => new VoiceprintError("consent_required", "nobody is enrolled without consent", { name });

function speakerOf({ name, n_utterances, seconds_of_speech, created, updated, notes, model_id, consent, expires, expired }: Enrollment): object {
  return { name, clips: n_utterances, seconds_of_speech, created, updated, notes, model: model_id, consent, expires, expired };
}

function form(body: Body): FormData {
  if (!(body instanceof FormData)) throw new Error("the request holds no form");
  return body;
}

const fields = (body: Body): Record<string, unknown> => JSON.parse(typeof body === "string" ? body : "{}") as Record<string, unknown>;
const filesOf = (given: FormData, field: string): File[] => given.getAll(field).filter((value) => value instanceof File);
const clipOf = (body: Body): File => filesOf(form(body), "clip")[0];
const modeOf = (given: FormData): "add" | "replace" => (text(given, "mode") === "replace" ? "replace" : "add");

function text(given: FormData, field: string): string | null {
  const value = given.get(field);
  return typeof value === "string" && value ? value : null;
}

/** Text without case and accents, to search in. */
function plain(name: string): string {
  return name.toLowerCase().normalize("NFKD").replace(/\p{M}/gu, "");
}
