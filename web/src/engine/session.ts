/** Session: a question answered while somebody speaks, as soon as the evidence suffices. */

import { LiveSound } from "../audio/live_sound.ts";
import { SAMPLE_RATE } from "../audio/waveform.ts";
import { argumentError, checkNumber, VoiceprintError } from "../errors.ts";
import type { SpeakerModel } from "../model/speaker_model.ts";
import type { Answer, SessionEvent } from "./events.ts";
import { Listener, type Moments } from "./listening.ts";
import type { Question } from "./questions.ts";
import type { SequentialTest } from "./sequential.ts";

/** Seconds of speech before which a session decides nothing. */
export const LEAST_SPEECH = 1;
/** Seconds of speech at which a session decides in any case. */
export const LATEST = 10;

const MOST = 30; // seconds that the encoder takes at once: the latest moment may not be later

/** Listens to sound that is still coming; it decides once a turn, and its memory is bounded. */
export class Session {
  readonly moments: Moments;
  #sound: LiveSound | null = null;
  #listener: Listener | null = null;
  #answer: Answer | null = null;
  #finished = false;
  #refusal: Promise<Answer | null>;
  #busy: Promise<unknown> = Promise.resolve();

  constructor(
    readonly model: SpeakerModel,
    readonly question: Question<Answer>,
    readonly test: SequentialTest,
    moments: Moments,
    least = 0, // seconds: decided before that, nobody who speaks could be told from a machine
  ) {
    checkNumber("min_speech", moments.min_speech, { least: 0.1, most: MOST });
    checkNumber("latest", moments.latest, { least: moments.min_speech, most: MOST });
    const min_speech = Math.max(moments.min_speech, least);
    this.moments = { min_speech, latest: Math.max(moments.latest, min_speech) };
    if (!model.card.calibration) throw new VoiceprintError("not_calibrated", "the model has no thresholds, for it was never calibrated");
    this.#refusal = question.refusal();
    this.#refusal.catch(() => {}); // told when sound comes
  }

  /** The latest decision; null before the first. */
  get answer(): Answer | null {
    return this.#answer;
  }

  /**
   * Take the next samples, of one channel.
   *
   * @returns What has become known. The same sound gives the same events, whatever its chunks.
   */
  feed(samples: Float32Array | Int16Array, sampleRate = SAMPLE_RATE): Promise<SessionEvent[]> {
    return this.#next(() => {
      const { sound, listener } = this.#opened(sampleRate);
      return this.#feed(listener, sound.feed(samples));
    });
  }

  /** End the sound, and decide what is not decided yet. */
  finish(): Promise<SessionEvent[]> {
    return this.#next(async () => {
      const { sound, listener } = this.#opened(null);
      const events = await this.#feed(listener, sound.finish());
      if (!this.#finished && !(await this.#refusal)) events.push(...(await this.#answered(listener.end(sound.rest))));
      this.#finished = true;
      return events;
    });
  }

  /** Forget it without an answer: what is still waiting is not listened to, and nothing is remembered of it. */
  close(): void {
    this.#finished = true;
  }

  /** Do one thing after the other, however fast they are asked for. */
  #next(work: () => Promise<SessionEvent[]>): Promise<SessionEvent[]> {
    const next = this.#busy.then(work).catch((error: unknown) => {
      // Who is refused once is not let in by the next chunk; sound that cannot be used is just not taken.
      if (error instanceof VoiceprintError && !["audio", "argument"].includes(error.code)) this.#finished = true;
      throw error;
    });
    this.#busy = next.catch(() => {});
    return next;
  }

  #opened(sampleRate: number | null): { sound: LiveSound; listener: Listener } {
    if (this.#finished) throw argumentError("samples", "more sound", "fed before the session is finished");
    const rate = sampleRate ?? this.#sound?.sampleRate ?? SAMPLE_RATE;
    this.#sound ??= new LiveSound(rate);
    this.#listener ??= new Listener(this.model, this.question, this.test, this.moments, rate);
    if (rate !== this.#sound.sampleRate) throw argumentError("sampleRate", rate, `${this.#sound.sampleRate}, as before`);
    return { sound: this.#sound, listener: this.#listener };
  }

  async #feed(listener: Listener, windows: readonly Float32Array[]): Promise<SessionEvent[]> {
    const refusal = await this.#refusal;
    if (refusal) {
      if (this.#answer) return [];
      this.#answer = refusal;
      return [{ event: "decided", elapsed: 0, answer: refusal }];
    }
    const events: SessionEvent[] = [];
    for (const window of windows) {
      if (this.#finished) break; // closed meanwhile
      events.push(...(await this.#answered(listener.feed(window))));
    }
    return events;
  }

  async #answered(events: AsyncGenerator<SessionEvent>): Promise<SessionEvent[]> {
    const told: SessionEvent[] = [];
    for await (const event of events) {
      told.push(event);
      if (event.event === "decided") this.#answer = event.answer;
    }
    return told;
  }
}
