// Requests to the server (or to what stands in its place), and what goes wrong with them, as Trouble with its cause and words for the person.

import { answer as answerOf } from "./home.js";
import { troubleWords } from "./words.js";

const KEY = "voiceprint-key";
const PATIENCE = 60_000; // ms
const RETRIES = 2; // of a request that a busy server refused
const LONGEST_WAIT = 5; // s; who is told to wait longer is asked to try again

/** A request that got no answer, or an answer that is an error. */
export class Trouble extends Error {
  /** @param {{status: number, code: string, problem?: object, wait?: number}} what status 0: no answer at all */
  constructor({ status, code, problem = {}, wait = 0 }) {
    const { title, text, button } = troubleWords({ status, code, problem, wait });
    super(text);
    this.title = title;
    this.button = button;
    this.status = status;
    this.code = code;
    this.problem = problem;
    this.wait = wait;
  }
}

export const key = {
  get: () => sessionStorage.getItem(KEY) ?? "",
  set: (secret) => sessionStorage.setItem(KEY, secret),
  forget: () => sessionStorage.removeItem(KEY),
};

/** A value for Idempotency-Key; crypto.randomUUID is missing where a page came over plain http. */
export function onceKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Ask the server; returns its JSON, or null where there is none.
 *
 * @param {string} method
 * @param {string} path
 * @param {{body?: BodyInit, once?: string, signal?: AbortSignal, patience?: number, onBusy?: (seconds: number) => void}} options
 *   once: the Idempotency-Key of a change; signal: ends the request when nobody waits for its answer any more;
 *   onBusy: called when the server is busy and the request will be repeated; patience: ms until it counts as lost.
 * @throws {Trouble} or the signal's reason
 */
export async function ask(method, path, { body, once, signal, patience = PATIENCE, onBusy = () => {} } = {}) {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await askOnce(method, path, { body, once, signal, patience: AbortSignal.timeout(patience) });
    } catch (error) {
      const again = error instanceof Trouble && error.status === 503 && error.wait <= LONGEST_WAIT;
      if (!again || attempt === RETRIES) throw error;
      onBusy(error.wait);
      await new Promise((resolve) => setTimeout(resolve, error.wait * 1000));
      signal?.throwIfAborted();
    }
  }
}

async function askOnce(method, path, { body, once, signal, patience }) {
  const headers = {};
  if (key.get()) headers.Authorization = `Bearer ${key.get()}`;
  if (once) headers["Idempotency-Key"] = once;
  let answer, content;
  try {
    answer = await answerOf(path, { method, headers, body, signal: signal ? AbortSignal.any([signal, patience]) : patience });
    content = (answer.headers.get("Content-Type") ?? "").includes("json") ? await answer.json() : null;
  } catch {
    signal?.throwIfAborted();
    throw new Trouble({ status: 0, code: patience.aborted ? "server-slow" : navigator.onLine ? "server-lost" : "browser-offline" });
  }
  signal?.throwIfAborted();
  if (answer.ok) return content;
  const wait = Number(answer.headers.get("Retry-After") ?? 0);
  const code = String(content?.type ?? "").replace("urn:voiceprint:", "");
  throw new Trouble({ status: answer.status, code, problem: content ?? {}, wait });
}

/** Put recordings into a form, under one field name, and texts under theirs; those that are empty are left out. */
export function formOf(field, clips, texts = {}) {
  const form = new FormData();
  for (const [name, text] of Object.entries(texts)) if (text) form.append(name, text);
  for (const clip of clips) form.append(field, clip.blob, clip.fileName);
  return form;
}

export const speakerPath = (name, rest = "") => `/v1/speakers/${encodeURIComponent(name)}${rest}`;

/** Ask for enrolled people whose names contain a text, in the order of names; not in the address, which is logged. */
export function findPeople({ search = "", limit = 8, after = 0, signal } = {}) {
  return ask("POST", "/v1/speakers/search", { body: JSON.stringify({ search, limit, after }), signal });
}
