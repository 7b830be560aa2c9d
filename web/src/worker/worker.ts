/** The worker's side: one Verifier, asked by messages. The page's side is `openInWorker`. */

import type { Session } from "../engine/session.ts";
import { Verifier, type VerifierOptions } from "../engine/verifier.ts";
import { type Call, errorReply, type Reply } from "./calls.ts";

declare const self: DedicatedWorkerGlobalScope;

const METHODS = [
  "enroll", "verify", "identify", "compare", "quality", "embed", "speakers", "show", "rename", "remove", "exportPeople", "importPeople",
] as const;
const OF_THE_STORE = ["record", "records", "checkMode", "setTerms", "removeExpired", "optOut", "optIn", "optOuts", "forgetEverything"] as const;

let verifier: Verifier | null = null;
const sessions = new Map<number, Session>();
let opened = 0;

self.onmessage = async ({ data }: MessageEvent<Call>) => {
  let reply: Reply;
  try {
    reply = { id: data.id, value: await answer(data) };
  } catch (error) {
    reply = errorReply(data.id, error);
  }
  self.postMessage(reply);
};

async function answer({ method, args, session }: Call): Promise<unknown> {
  if (method === "open") {
    verifier = await Verifier.open(args[0] as VerifierOptions);
    return verifier.model.card.data;
  }
  if (!verifier) throw new Error("the worker has not loaded a model");
  if (session !== undefined) return inSession(session, method, args);
  if (method === "session") {
    sessions.set((opened += 1), verifier.session(args[0] as object));
    return opened;
  }
  return called(METHODS.some((name) => name === method) ? verifier : verifier.store, method, args);
}

/** Feed a session, or end it; one that is over is forgotten. */
async function inSession(id: number, method: string, args: readonly unknown[]): Promise<unknown> {
  const session = sessions.get(id);
  if (!session) throw new Error("that session is over");
  if (method === "feed") return session.feed(args[0] as Int16Array, args[1] as number);
  sessions.delete(id);
  return method === "finish" ? session.finish() : session.close();
}

function called(target: object, method: string, args: readonly unknown[]): unknown {
  if (![...METHODS, ...OF_THE_STORE].some((name) => name === method)) throw new Error(`the engine has no method ${method}`);
  return (target as Record<string, (...args: readonly unknown[]) => unknown>)[method](...args);
}
