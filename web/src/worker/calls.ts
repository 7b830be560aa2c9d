/** What passes between a page and its worker: calls by name, answers, and errors with their code. */

import { type ErrorCode, type ErrorFacts, VoiceprintError } from "../errors.ts";

/** A call of a method; `session` names one that was opened before. */
export interface Call {
  readonly id: number;
  readonly method: string;
  readonly args: readonly unknown[];
  readonly session?: number;
}

/** What a call came to. */
export type Reply =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: { readonly code: ErrorCode | null; readonly message: string; readonly facts: ErrorFacts } };

/** Say an error so that it passes between threads. */
export function errorReply(id: number, error: unknown): Reply {
  const message = error instanceof Error ? error.message : String(error);
  const known = error instanceof VoiceprintError;
  return { id, error: { code: known ? error.code : null, message, facts: known ? error.facts : {} } };
}

/** Make of a reply what the call returns or throws. */
export function valueOf(reply: Reply): unknown {
  if ("value" in reply) return reply.value;
  const { code, message, facts } = reply.error;
  throw code ? new VoiceprintError(code, message, facts) : new Error(message);
}
