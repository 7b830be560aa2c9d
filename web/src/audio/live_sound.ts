/** Samples that come in chunks of any size and rate -> windows at 16 kHz. */

import { Resampler } from "./resampling.ts";
import { fullScale } from "./read.ts";
import { WINDOW } from "./vad/segments.ts";
import { checkRate, checkSamples, clamped, joined, SAMPLE_RATE } from "./waveform.ts";

const SOURCE = "<live>";

/** One channel of sound that is still coming. */
export class LiveSound {
  readonly #resampler: Resampler | null;
  #rest = new Float32Array(0);

  constructor(readonly sampleRate: number) {
    checkRate(sampleRate, SOURCE);
    this.#resampler = sampleRate === SAMPLE_RATE ? null : new Resampler(sampleRate);
  }

  /** Take samples, and give every window of 512 that is full now. */
  feed(samples: Float32Array | Int16Array): Float32Array[] {
    const block = samples instanceof Int16Array ? fullScale(samples) : samples;
    checkSamples(block, SOURCE);
    return this.#cut(this.#resampler ? this.#resampler.feed(block) : block.slice());
  }

  /** Give the windows that are full when no more samples come; `rest` is what remains after them. */
  finish(): Float32Array[] {
    return this.#resampler ? this.#cut(this.#resampler.finish()) : [];
  }

  /** The samples at 16 kHz that fill no window. */
  get rest(): Float32Array {
    return this.#rest;
  }

  #cut(samples: Float32Array): Float32Array[] {
    const sound = joined([this.#rest, clamped(samples)]);
    const whole = Math.floor(sound.length / WINDOW);
    this.#rest = sound.slice(whole * WINDOW);
    return Array.from({ length: whole }, (_, i) => sound.slice(i * WINDOW, (i + 1) * WINDOW));
  }
}
