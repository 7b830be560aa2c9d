/** The speech in a clip: the detector judges its windows, and they become segments. */

import { type Network, tensor } from "../../onnx_runtime.ts";
import { SAMPLE_RATE } from "../waveform.ts";
import { type Segment, toSegments, WINDOW } from "./segments.ts";

const CONTEXT = 64; // samples before each window that are judged with it
const HIDDEN = 128; // size of the detector's memory
const TOGETHER = 1024; // windows (33 s) that pass through the detector at once; memory stays bounded

// Quiet clips are turned up for the detector, which otherwise misses speech below about -35 dBFS.
const LOUD = 0.2; // what the loudest second should reach with all but its 0.5 % highest samples
const MAX_GAIN = 30; // 30 dB; what is quieter still is hiss

/** What the recurrent detector remembers of the sound so far. */
export interface Memory {
  readonly h: Float32Array;
  readonly c: Float32Array;
}

/** The network of the speech detector: judges windows, and remembers those before. */
export class Detector {
  constructor(readonly network: Network) {}

  /** Find where speech lies in samples at 16 kHz. */
  async segments(samples: Float32Array): Promise<Segment[]> {
    return toSegments(await this.probabilities(samples), samples.length);
  }

  /** Probability that each window of 512 samples holds speech. */
  async probabilities(samples: Float32Array): Promise<Float32Array> {
    const count = Math.ceil(samples.length / WINDOW);
    let loudest = 0;
    for (let start = 0; start < samples.length; start += SAMPLE_RATE) {
      loudest = Math.max(loudest, loudness(samples.subarray(start, start + SAMPLE_RATE)));
    }
    const found = new Float32Array(count);
    const gain = gainFor(loudest);
    let memory: Memory | null = null;
    for (let first = 0; first < count; first += TOGETHER) {
      const some = Math.min(TOGETHER, count - first);
      const judged = await this.judge(cut(samples, first * WINDOW, some), gain, some, memory);
      found.set(judged.probabilities, first);
      memory = judged.memory;
    }
    return found;
  }

  /**
   * Pass windows through the network.
   *
   * @param sound The windows one after the other, and the 64 samples before the first.
   * @param gain What they are turned up by; what then exceeds [-1, 1] is clipped.
   */
  async judge(
    sound: Float32Array,
    gain: number,
    count: number,
    memory: Memory | null,
  ): Promise<{ probabilities: Float32Array; memory: Memory }> {
    const rows = new Float32Array(count * (CONTEXT + WINDOW));
    for (let window = 0; window < count; window += 1) {
      for (let i = 0; i < CONTEXT + WINDOW; i += 1) {
        const sample = Math.fround(gain * sound[window * WINDOW + i]);
        rows[window * (CONTEXT + WINDOW) + i] = Math.min(1, Math.max(-1, sample));
      }
    }
    const state = memory ?? { h: new Float32Array(HIDDEN), c: new Float32Array(HIDDEN) };
    const out = await this.network.run({
      windows: tensor(rows, [count, CONTEXT + WINDOW]),
      h: tensor(state.h, [1, 1, HIDDEN]),
      c: tensor(state.c, [1, 1, HIDDEN]),
    });
    return { probabilities: out.probabilities, memory: { h: out.next_h, c: out.next_c } };
  }
}

/** Windows from a sample on with the context before them; silence where there is no sound. */
function cut(samples: Float32Array, start: number, count: number): Float32Array {
  const sound = new Float32Array(CONTEXT + count * WINDOW);
  const first = Math.max(0, start - CONTEXT);
  sound.set(samples.subarray(first, start + count * WINDOW), first - (start - CONTEXT));
  return sound;
}

/** The level that all but the 0.5 % highest samples of a second or less stay below. */
export function loudness(second: Float32Array): number {
  if (!second.length) return 0;
  const sorted = second.map(Math.abs).sort();
  const place = 0.995 * (sorted.length - 1);
  const below = Math.floor(place);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
}

/** The factor that makes quiet speech as loud as the detector expects; 1 for what is loud. */
export function gainFor(loudest: number): number {
  return Math.fround(Math.min(Math.max(LOUD / Math.max(loudest, 1e-9), 1), MAX_GAIN));
}
