/** The one form of a person's name that is stored and looked up, as `voiceprint.store` has it. */

import { VoiceprintError } from "../errors.ts";

const MAX_NAME_LENGTH = 200;
const MAX_SOURCE_LENGTH = 255;
const AROUND = /^[\s\x1c-\x1f\x85]+|[\s\x1c-\x1f\x85]+$/gu;
/** Persian and Indic names, joined emoji and regional flags are spelled with some invisible characters. */
const JOINERS = /[\u200c\u200d\u{e0020}-\u{e007f}]/gu;
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]/u;
const SAYS_SOMETHING = /[\p{L}\p{N}\p{P}\p{S}]/u;
/** What is answered where nobody is named; a person of such a name would read like it. */
const RESERVED = new Set(["unknown", "not enough speech", "not_enough_speech"]);

/**
 * Bring a name into Unicode NFC without white space around it; upper and lower case stay different people.
 *
 * @throws VoiceprintError `invalid_name` if it is empty, too long, or holds what cannot be printed.
 */
export function normalizeName(name: string): string {
  const refuse = (why: string) => new VoiceprintError("invalid_name", why, { name });
  const normal = name.normalize("NFC").replace(AROUND, "");
  const length = Array.from(normal).length;
  if (length > MAX_NAME_LENGTH) throw refuse(`the name has ${length} characters; use at most ${MAX_NAME_LENGTH}`);
  const unprintable = UNPRINTABLE.exec(normal.replace(JOINERS, ""));
  if (unprintable) {
    const code = unprintable[0].codePointAt(0)?.toString(16).toUpperCase().padStart(4, "0");
    throw refuse(`the name ${JSON.stringify(normal)} holds U+${code}, which cannot be printed; leave it out`);
  }
  if (!SAYS_SOMETHING.test(normal)) throw refuse("the name is empty; give 1 to 200 printable characters");
  return normal;
}

/** Refuse a new name that is an answer, or looks like one. */
export function refuseReserved(name: string): void {
  const plain = name.replace(JOINERS, "").normalize("NFKC").toLowerCase().split(/\s+/).filter(Boolean).join(" ");
  if (!RESERVED.has(plain)) return;
  throw new VoiceprintError("invalid_name", `the name ${JSON.stringify(name)} is what is answered where nobody is named; give another`, { name });
}

/** Reduce a clip's source to its file name: folder names often say more about a person than is needed. */
export function fileName(source: string): string {
  const last = source.split(/[/\\]/).filter(Boolean).pop() ?? source;
  // Files cannot hold NUL and halves of characters; a name may.
  return Array.from((last || source).replace(/[\0\p{Surrogate}]/gu, "\ufffd")).slice(0, MAX_SOURCE_LENGTH).join("");
}
