/** SHA-256 in hexadecimal, as the card and the store hold it. */

/** Hash bytes, or samples as little-endian float32; needs a secure context (https or localhost). */
export async function sha256(data: Uint8Array | Float32Array | ArrayBuffer): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", data as BufferSource);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
