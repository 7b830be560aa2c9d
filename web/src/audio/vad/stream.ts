/** Speech found in sound that is still coming: what `Detector.segments` does, one window at a time. */

import { SAMPLE_RATE } from "../waveform.ts";
import { type Segment, SegmentTracker, WINDOW } from "./segments.ts";
import { type Detector, gainFor, loudness, type Memory } from "./speech.ts";

const CONTEXT = 64;
const LISTENED = 60; // seconds, by the loudest of which quiet sound is turned up
const EXPECTED = 0.1; // loudness of the first second before it is over

/** Finds speech window by window; remembers the network's state and the loudness of a minute. */
export class SpeechDetector {
  #gain = new RunningGain();
  #context = new Float32Array(CONTEXT);
  #memory: Memory | null = null;
  #tracker = new SegmentTracker();

  constructor(readonly detector: Detector) {}

  /** The first sample that may still become part of a segment which is not closed. */
  get earliest(): number {
    return this.#tracker.earliest;
  }

  /** Take the next window of 512 samples; returns the segment that is sure to have ended, if any. */
  async judge(window: Float32Array): Promise<Segment | null> {
    this.#gain.add(window);
    return this.#judge(window);
  }

  /** The segment that is not closed yet as it would be if the sound ended after so many samples. */
  current(length: number): Segment | null {
    return this.#tracker.current(length);
  }

  /** End the sound with fewer samples than a window; returns the segment that ends with it, if any. */
  async finish(rest: Float32Array): Promise<Segment | null> {
    const length = this.#tracker.windows * WINDOW + rest.length;
    this.#gain.add(rest);
    const padded = new Float32Array(WINDOW);
    padded.set(rest);
    const closed = rest.length ? await this.#judge(padded) : null;
    return closed ?? this.current(length);
  }

  async #judge(window: Float32Array): Promise<Segment | null> {
    const sound = new Float32Array(CONTEXT + WINDOW);
    sound.set(this.#context);
    sound.set(window, CONTEXT);
    const judged = await this.detector.judge(sound, this.#gain.value, 1, this.#memory);
    this.#memory = judged.memory;
    this.#context = window.slice(-CONTEXT);
    return this.#tracker.add(judged.probabilities[0]);
  }
}

/** The gain of the sound so far, by its loudest second of the last minute. */
class RunningGain {
  #second = new Float32Array(SAMPLE_RATE);
  #filled = 0;
  #loudest: number[] = [];

  get value(): number {
    const now = loudness(this.#second.subarray(0, this.#filled));
    return gainFor(Math.max(now, ...(this.#loudest.length ? this.#loudest : [EXPECTED])));
  }

  add(window: Float32Array): void {
    const fitting = window.subarray(0, SAMPLE_RATE - this.#filled);
    this.#second.set(fitting, this.#filled);
    this.#filled += fitting.length;
    if (this.#filled < SAMPLE_RATE) return;
    this.#loudest = [...this.#loudest, loudness(this.#second)].slice(-LISTENED);
    const rest = window.subarray(fitting.length);
    this.#second.set(rest);
    this.#filled = rest.length;
  }
}
