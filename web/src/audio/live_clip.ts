/** A clip that is still being spoken: at any moment, what `readClip` gives of the sound so far. */

import { ClippingMeter } from "./clipping.ts";
import { type Clip, MARGIN, widened } from "./clips.ts";
import { type ClipQuality, energyOf, Loudness, qualityOf } from "./quality.ts";
import { type Segment, WINDOW } from "./vad/segments.ts";
import type { Detector } from "./vad/speech.ts";
import { SpeechDetector } from "./vad/stream.ts";
import { joined, SAMPLE_RATE } from "./waveform.ts";

const REACH = Math.round(MARGIN * SAMPLE_RATE);
const SLACK = SAMPLE_RATE; // speech is forgotten a second at a time
const REMEMBERED = 600 * SAMPLE_RATE; // noise before about the last ten minutes fades

/** The speech of sound that comes window by window, kept as it would be embedded; memory is bounded. */
export class LiveClip {
  readonly #most: number;
  readonly #detector: SpeechDetector;
  readonly #meter = new ClippingMeter();
  #length = 0; // samples received
  #begin = 0; // the first that counts
  #ended: Segment[] = []; // segments that have ended
  #forgotten = 0; // samples of speech that do not count any more
  #windows = new Map<number, Float32Array>(); // that are or may become speech or its margin
  #energies = new Map<number, number>(); // of the same windows
  #decided = 0; // the first window that may still become speech
  #pruned = 0; // the first window that may still become its margin
  #noise = new Loudness(); // of what is no speech, before the window that is decided next

  /** @param most Seconds of speech that are kept. */
  constructor(
    detector: Detector,
    most: number,
    readonly originalRate: number,
  ) {
    this.#most = Math.round(most * SAMPLE_RATE);
    this.#detector = new SpeechDetector(detector);
  }

  /** Samples at 16 kHz so far. */
  get received(): number {
    return this.#length;
  }

  /** The speech that has not ended yet, as if it ended now. */
  get speaking(): Segment | null {
    return this.#detector.current(this.#length);
  }

  /** Where the speech lies that counts. */
  get segments(): Segment[] {
    const now = this.speaking;
    return [...this.#ended, ...(now ? [now] : [])]
      .filter((each) => each.stop > this.#begin)
      .map((each) => ({ start: Math.max(each.start, this.#begin), stop: each.stop }));
  }

  /** Seconds of speech that count. */
  get secondsOfSpeech(): number {
    return this.#speech / SAMPLE_RATE;
  }

  /** Seconds of speech from the beginning on, whether they count or not. */
  get spoken(): number {
    return (this.#forgotten + this.#speech) / SAMPLE_RATE;
  }

  get #speech(): number {
    return this.segments.reduce((sum, { start, stop }) => sum + stop - start, 0);
  }

  /** Take the next window of 512 samples; returns speech that is sure to have ended now. */
  async add(window: Float32Array): Promise<Segment | null> {
    this.#take(window);
    const closed = await this.#detector.judge(window);
    if (closed) this.#ended.push(closed);
    this.#listenToNoise();
    this.#prune();
    if (this.#speech > this.#most + SLACK) this.forgetBefore(this.last(this.#most / SAMPLE_RATE));
    return closed;
  }

  /** Take the last samples, fewer than a window, and end the sound. */
  async finish(rest: Float32Array): Promise<Segment | null> {
    this.#take(rest);
    const closed = await this.#detector.finish(rest);
    if (closed) this.#ended.push(closed);
    return closed;
  }

  /** The speech that counts so far, measured as `readClip` measures a clip; without hash. */
  clip(): Clip {
    const { segments } = this;
    const stretches = widened(segments, this.#begin, this.#length);
    return {
      source: "<live>",
      sha256: "",
      quality: this.#quality(segments),
      speech: joined(stretches.map((stretch) => this.#cut(stretch))),
      stretches,
      original_rate: this.originalRate,
      parts: [],
    };
  }

  /** The sample where the last so many seconds of speech begin. */
  last(seconds: number): number {
    let missing = Math.round(seconds * SAMPLE_RATE);
    for (const { start, stop } of this.segments.reverse()) {
      if (stop - start >= missing) return stop - missing;
      missing -= stop - start;
    }
    return this.#begin;
  }

  /** Let nothing count that was said before the window of a sample; the noise stays known. */
  forgetBefore(sample: number): void {
    const spoken = this.#speech;
    const first = Math.floor(Math.max(this.#begin, sample) / WINDOW);
    this.#begin = first * WINDOW;
    this.#ended = this.#ended.filter((each) => each.stop > this.#begin);
    this.#forgotten += spoken - this.#speech;
    for (const number of [...this.#windows.keys()]) if (number < first) this.#drop(number);
  }

  #take(window: Float32Array): void {
    const number = Math.floor(this.#length / WINDOW);
    this.#windows.set(number, window);
    this.#energies.set(number, energyOf(window));
    this.#meter.add(window);
    this.#length += window.length;
  }

  /** Take windows into account that have become sure to be no speech. */
  #listenToNoise(): void {
    const decided = Math.floor(this.#detector.earliest / WINDOW);
    const lately = this.#ended.slice(-2);
    for (let number = this.#decided; number < decided; number += 1) {
      if (!within(number, lately, 0)) this.#noise.add(this.#energies.get(number) ?? 0, WINDOW);
    }
    this.#decided = Math.max(this.#decided, decided);
    if (this.#noise.samples > REMEMBERED) this.#noise.halve();
  }

  /** Drop windows that can no longer become speech or its margin. */
  #prune(): void {
    const sure = Math.floor(Math.max(0, this.#detector.earliest - REACH) / WINDOW);
    const lately = this.#ended.slice(-2);
    for (let number = this.#pruned; number < sure; number += 1) if (!within(number, lately, REACH)) this.#drop(number);
    this.#pruned = Math.max(this.#pruned, sure);
  }

  #drop(number: number): void {
    this.#windows.delete(number);
    this.#energies.delete(number);
  }

  #cut({ start, stop }: Segment): Float32Array {
    const [first, last] = [Math.floor(start / WINDOW), Math.ceil(stop / WINDOW)];
    const parts = Array.from({ length: last - first }, (_, i) => this.#windows.get(first + i) ?? new Float32Array(WINDOW));
    return joined(parts).subarray(start - first * WINDOW, stop - first * WINDOW);
  }

  #quality(segments: readonly Segment[]): ClipQuality {
    const speech = new Loudness();
    const noise = new Loudness(this.#noise.energy, this.#noise.samples);
    const spoken = (number: number) => within(number, segments, 0);
    for (const [number, window] of this.#windows) {
      const energy = this.#energies.get(number) ?? 0;
      if (spoken(number)) speech.add(energy, window.length);
      else if (number >= this.#decided) noise.add(energy, window.length);
    }
    return qualityOf((this.#length - this.#begin) / SAMPLE_RATE, speech, noise, this.#meter.fraction);
  }
}

/** Whether a window lies in a segment, or up to `reach` samples from it. */
function within(number: number, segments: readonly Segment[], reach: number): boolean {
  const start = number * WINDOW;
  return segments.some((each) => each.start - reach < start + WINDOW && start < each.stop + reach);
}
