/** Who is nearest to an embedding, and in which order. */

import type { Match } from "./decisions.ts";
import type { StoreHit } from "../store/records.ts";

/** Order people by likelihood: a score means less against one clip than against ten. */
export function rank(hits: readonly StoreHit[], llrOf: (hit: StoreHit) => number | null): Match[] {
  return hits
    .map((hit) => ({ name: hit.name, score: hit.score, llr: llrOf(hit) }))
    .sort((a, b) => (b.llr ?? 0) - (a.llr ?? 0) || b.score - a.score);
}
