/** Files that are no WAV: by the browser's decoder, at the file's own rate, so that it does not resample. */

import { fault } from "../errors.ts";
import { isWav, readWav, type Sound } from "./wav.ts";
import { checkLength } from "./waveform.ts";

const USUAL = 48_000; // Hz: of what browsers and phones record

/**
 * Decode a recording. WAV is read anywhere; other formats need `OfflineAudioContext`, which workers lack.
 *
 * @throws VoiceprintError `audio` if this browser cannot read it, or it says that it is longer than `maxSeconds`.
 */
export async function decodeAudio(file: Blob | ArrayBuffer, source: string, maxSeconds: number): Promise<Sound> {
  const bytes = new Uint8Array(file instanceof Blob ? await file.arrayBuffer() : file);
  const read = isWav(bytes) ? readWav(bytes, source, maxSeconds) : null;
  return read ?? decodeByBrowser(bytes, source, maxSeconds);
}

async function decodeByBrowser(bytes: Uint8Array<ArrayBuffer>, source: string, maxSeconds: number): Promise<Sound> {
  if (typeof OfflineAudioContext === "undefined") {
    throw fault(source, "is no WAV file; other formats are decoded in the page, not in a worker");
  }
  checkLength((await saidSeconds(bytes)) ?? 0, source, maxSeconds);
  const rate = Math.min(Math.max(rateOf(bytes), 8_000), 96_000); // which every browser allows
  try {
    const sound = await new OfflineAudioContext(1, 1, rate).decodeAudioData(bytes.slice().buffer);
    const channels = Array.from({ length: sound.numberOfChannels }, (_, index) => sound.getChannelData(index));
    return { channels, sample_rate: sound.sampleRate };
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
    throw fault(source, "cannot be decoded by this browser: it is damaged, no sound, or of a format it does not know");
  }
}

/** How long a file says it is, found without decoding it: a few megabytes may hold hours; null where it does not say. */
async function saidSeconds(bytes: Uint8Array<ArrayBuffer>): Promise<number | null> {
  if (typeof Audio === "undefined") return null;
  const player = new Audio();
  const address = URL.createObjectURL(new Blob([bytes]));
  try {
    await new Promise((resolve, reject) => {
      player.onloadedmetadata = resolve;
      player.onerror = reject;
      player.preload = "metadata";
      player.src = address;
    });
    return Number.isFinite(player.duration) ? player.duration : null;
  } catch {
    return null; // the decoder says what is wrong
  } finally {
    player.removeAttribute("src");
    URL.revokeObjectURL(address);
  }
}

/** The sample rate that a file says it has; that of most recordings where it is not known. */
function rateOf(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const begins = (letters: string, at = 0) => [...letters].every((letter, i) => bytes[at + i] === letter.charCodeAt(0));
  if (begins("fLaC") && bytes.length > 21) return ((view.getUint16(18) << 4) | (bytes[20] >> 4)) >>> 0 || USUAL;
  if (begins("OggS") && begins("\x01vorbis", 28)) return view.getUint32(40, true);
  const frame = mpegFrame(bytes, begins("ID3") ? tagLength(bytes) : 0);
  return frame ?? USUAL;
}

/** Bytes of an ID3 tag at the beginning. */
function tagLength(bytes: Uint8Array): number {
  return 10 + bytes.subarray(6, 10).reduce((sum, byte) => (sum << 7) | (byte & 127), 0);
}

/** The rate that the MPEG frame at a place has; null if none is there. */
function mpegFrame(bytes: Uint8Array, at: number): number | null {
  if (bytes[at] !== 0xff || (bytes[at + 1] & 0xe0) !== 0xe0) return null;
  const version = (bytes[at + 1] >> 3) & 3;
  const rate = [44_100, 48_000, 32_000][(bytes[at + 2] >> 2) & 3];
  const times = { 3: 1, 2: 2, 0: 4 }[version];
  return rate && times ? rate / times : null;
}
