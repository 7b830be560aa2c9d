/** WAV files: read sample for sample, without the browser's decoder and its resampler. */

import { fault } from "../errors.ts";
import { checkLength } from "./waveform.ts";

/** Decoded sound: samples of each channel in [-1, 1], at the rate of the file. */
export interface Sound {
  readonly channels: readonly Float32Array[];
  readonly sample_rate: number;
}

interface Layout {
  readonly kind: number; // 1 for integers, 3 for floats
  readonly channels: number;
  readonly rate: number;
  readonly bits: number;
}

const EXTENSIBLE = 0xfffe;

/** Whether a file is a WAV file. */
export function isWav(bytes: Uint8Array): boolean {
  return text(bytes, 0) === "RIFF" && text(bytes, 8) === "WAVE";
}

/**
 * Read a WAV file of integers of 8, 16, 24 or 32 bits, or floats of 32 or 64.
 *
 * @returns null for another coding, which the browser may know.
 * @throws VoiceprintError `audio` if it is damaged or cut short.
 */
export function readWav(bytes: Uint8Array, source: string, maxSeconds = Infinity): Sound | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let layout: Layout | null = null;
  for (let at = 12; at + 8 <= bytes.length; ) {
    const size = view.getUint32(at + 4, true);
    const body = at + 8;
    if (text(bytes, at) === "fmt " && body + 16 <= bytes.length) layout = layoutOf(view, body, size);
    if (text(bytes, at) === "data") {
      if (!layout) throw fault(source, "is a damaged WAV file: its sound comes before its format");
      return samplesOf(view, body, size, layout, source, maxSeconds);
    }
    at = body + size + (size % 2);
  }
  throw fault(source, "is a damaged WAV file: it holds no sound");
}

function layoutOf(view: DataView, at: number, size: number): Layout {
  const kind = view.getUint16(at, true);
  return {
    kind: kind === EXTENSIBLE && size >= 26 ? view.getUint16(at + 24, true) : kind,
    channels: view.getUint16(at + 2, true),
    rate: view.getUint32(at + 4, true),
    bits: view.getUint16(at + 14, true),
  };
}

function samplesOf(view: DataView, start: number, size: number, layout: Layout, source: string, maxSeconds: number): Sound | null {
  const read = readerOf(view, layout);
  if (!read || !layout.channels) return null;
  const width = layout.bits / 8;
  const there = view.byteLength - start;
  const unknown = size === 0 || size === 0xffffffff; // written to a pipe: as much as comes
  if (!unknown && size > there) {
    const seconds = (bytes: number) => (bytes / width / layout.channels / layout.rate).toFixed(2);
    throw fault(source, `is cut short: ${seconds(there)} of ${seconds(size)} s are there; copy it again`);
  }
  const frames = Math.floor((unknown ? there : size) / (width * layout.channels));
  checkLength(frames / layout.rate, source, maxSeconds);
  const channels = Array.from({ length: layout.channels }, () => new Float32Array(frames));
  for (let frame = 0, at = start; frame < frames; frame += 1) {
    for (const channel of channels) {
      channel[frame] = read(at);
      at += width;
    }
  }
  return { channels, sample_rate: layout.rate };
}

function readerOf(view: DataView, { kind, bits }: Layout): ((at: number) => number) | null {
  if (kind === 3 && bits === 32) return (at) => view.getFloat32(at, true);
  if (kind === 3 && bits === 64) return (at) => view.getFloat64(at, true);
  if (kind !== 1) return null;
  if (bits === 8) return (at) => (view.getUint8(at) - 128) / 128;
  if (bits === 16) return (at) => view.getInt16(at, true) / 32768;
  if (bits === 24) return (at) => (view.getUint16(at, true) + view.getInt8(at + 2) * 65536) / 8388608;
  return bits === 32 ? (at) => view.getInt32(at, true) / 2147483648 : null;
}

function text(bytes: Uint8Array, at: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + 4));
}
