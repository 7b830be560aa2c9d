/**
 * What the engine refuses, by `code`: the codes of the Python library's error tree.
 *
 * @packageDocumentation
 */

/** The codes, as `voiceprint.errors` has them. */
export type ErrorCode =
  | "argument"
  | "audio"
  | "channels_differ"
  | "consent_required"
  | "enrollment"
  | "invalid_name"
  | "model"
  | "model_mismatch"
  | "not_calibrated"
  | "speaker_exists"
  | "speaker_expired"
  | "speaker_not_found"
  | "speaker_opted_out"
  | "store"
  | "store_full";

/** What an error concerns, besides its message; plain data, so that it passes between threads. */
export type ErrorFacts = Readonly<Record<string, unknown>>;

/**
 * Every error that the engine raises on purpose.
 *
 * @example
 * try { await verifier.verify("ada", clip); }
 * catch (error) { if (error instanceof VoiceprintError && error.code === "speaker_not_found") enrollFirst(); }
 */
export class VoiceprintError extends Error {
  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly facts: ErrorFacts = {},
  ) {
    super(message);
    this.name = "VoiceprintError";
  }
}

/** Refuse an argument that is out of range. */
export function argumentError(argument: string, value: unknown, allowed: string): VoiceprintError {
  return new VoiceprintError("argument", `${argument} is ${JSON.stringify(value)}; it must be ${allowed}`, { argument, allowed });
}

/** Refuse a clip; the message begins with its name. */
export function fault(source: string, message: string): VoiceprintError {
  return new VoiceprintError("audio", `${source} ${message}`, { source });
}

/** Refuse what is none of several choices. */
export function checkChoice<Choice extends string>(argument: string, value: string, choices: readonly Choice[]): asserts value is Choice {
  if (!choices.some((choice) => choice === value)) throw argumentError(argument, value, choices.join(", ").replace(/, (?=[^,]+$)/, " or "));
}

/** Refuse a number that is not finite or out of range. */
export function checkNumber(
  argument: string,
  value: number,
  { least = -Infinity, most = Infinity, above = -Infinity }: { least?: number; most?: number; above?: number } = {},
): void {
  if (Number.isFinite(value) && value >= least && value <= most && value > above) return;
  const bounds = [
    least > -Infinity && `at least ${least}`,
    above > -Infinity && `above ${above}`,
    most < Infinity && `at most ${most}`,
  ].filter(Boolean);
  throw argumentError(argument, value, `a finite number${bounds.length ? `, ${bounds.join(" and ")}` : ""}`);
}
