/** Embeddings to scores: unit length, centroid, cosine. A score is the cosine of two unit-length embeddings. */

import { VoiceprintError } from "./errors.ts";

/** Cosine of two unit-length embeddings. */
export function cosine(a: Float32Array, b: Float32Array): number {
  if (a.length !== b.length) {
    throw new VoiceprintError("model", `embeddings of ${a.length} and ${b.length} dimensions do not compare; use one model`);
  }
  let sum = 0;
  for (let i = 0; i < a.length; i += 1) sum += a[i] * b[i];
  return Math.fround(sum);
}

/** Scale a vector to unit length; a vector without a direction is refused. */
export function normalize(vector: ArrayLike<number>): Float32Array {
  let squares = 0;
  for (let i = 0; i < vector.length; i += 1) squares += vector[i] * vector[i];
  const length = Math.sqrt(squares);
  if (!(length > 1e-6 && Number.isFinite(length))) {
    throw new VoiceprintError("model", "an embedding has no direction, or holds a value that is not finite; embed the clip again");
  }
  return Float32Array.from(vector, (value) => value / length);
}

/** Sum of vectors, in double precision. */
export function sumOf(vectors: readonly Float32Array[]): Float64Array {
  const sum = new Float64Array(vectors[0]?.length ?? 0);
  for (const vector of vectors) for (let i = 0; i < sum.length; i += 1) sum[i] += vector[i];
  return sum;
}

/** Unit-length mean of one person's embeddings. */
export function centroid(embeddings: readonly Float32Array[]): Float32Array {
  return normalize(sumOf(embeddings).map((value) => value / embeddings.length));
}
