/** Listener: what becomes known of speech, window by window. */

import type { Clip } from "../audio/clips.ts";
import { LiveClip } from "../audio/live_clip.ts";
import type { Segment } from "../audio/vad/segments.ts";
import { SAMPLE_RATE } from "../audio/waveform.ts";
import type { SpeakerModel } from "../model/speaker_model.ts";
import type { Answer, SessionEvent } from "./events.ts";
import type { Question } from "./questions.ts";
import type { SequentialTest } from "./sequential.ts";
import { ChangeDetector, COMPARED, EVERY, REMEMBERED } from "./turns.ts";

const GROWTH = 0.1;

/** When a turn is decided: at which seconds of its speech at the latest, and before which it is not. */
export interface Moments {
  readonly latest: number;
  readonly min_speech: number;
}

/** The length of speech at which it is embedded again: the cost stays level, as it has grown by a tenth. */
function nextLook(seconds: number, latest: number): number {
  const upcoming = seconds + Math.max(EVERY, GROWTH * seconds);
  return seconds < latest ? Math.min(upcoming, latest) : upcoming;
}

/** Finds speech and turns in windows of sound, and asks a question of each turn until it is decided. */
export class Listener {
  readonly #live: LiveClip;
  readonly #changes: ChangeDetector;
  #speaking = false;
  #spokenBefore = 0;
  #decided = false;
  #nextLook = 0;
  #nextComparison = 0;

  constructor(
    readonly model: SpeakerModel,
    readonly question: Question<Answer>,
    readonly test: SequentialTest,
    readonly moments: Moments,
    originalRate: number,
  ) {
    this.#live = new LiveClip(model.detector, Math.max(moments.latest, REMEMBERED) + 1, originalRate);
    this.#changes = new ChangeDetector(model.decider);
    this.#beginTurn();
  }

  /** Take the next window of 512 samples, and tell what has become known. */
  async *feed(window: Float32Array): AsyncGenerator<SessionEvent> {
    yield* this.#speech(await this.#live.add(window));
    if (this.#turnSpeech >= this.#nextComparison) yield* this.#compareWithTheTurn();
    if (this.#turnSpeech >= this.#nextLook) yield* this.#look();
  }

  /** Take the last samples, fewer than a window, and decide the turn if it is not decided. */
  async *end(rest: Float32Array): AsyncGenerator<SessionEvent> {
    yield* this.#speech(await this.#live.finish(rest));
    if (this.#decided) return;
    const clip = this.#live.clip();
    if (clip.quality.seconds_of_speech < this.moments.min_speech) yield this.#decide(this.question.tooLittle(clip, this.moments.min_speech));
    else yield* this.#ask(clip, await this.model.embed(clip.speech), true);
  }

  get #elapsed(): number {
    return this.#live.received / SAMPLE_RATE;
  }

  /** Seconds of speech in this turn, those that were forgotten included. */
  get #turnSpeech(): number {
    return this.#live.spoken - this.#spokenBefore;
  }

  #beginTurn(): void {
    this.#spokenBefore = this.#live.spoken - this.#live.secondsOfSpeech;
    this.#decided = false;
    this.#nextLook = this.moments.min_speech;
    this.#nextComparison = COMPARED;
  }

  *#speech(closed: Segment | null): Generator<SessionEvent> {
    const now = closed ?? this.#live.speaking;
    if (now && !this.#speaking) {
      this.#speaking = true;
      yield { event: "speech_began", elapsed: this.#elapsed, start: now.start / SAMPLE_RATE };
    }
    if (!closed) return;
    this.#speaking = false;
    yield { event: "speech_ended", elapsed: this.#elapsed, start: closed.start / SAMPLE_RATE, stop: closed.stop / SAMPLE_RATE };
  }

  /** Compare the latest speech with what came before it in the turn. */
  async *#compareWithTheTurn(): AsyncGenerator<SessionEvent> {
    this.#nextComparison = this.#turnSpeech + EVERY;
    if (!this.#changes.knowsBefore(this.#turnSpeech)) return;
    const latest = this.#live.clip().speech.slice(-Math.round(COMPARED * SAMPLE_RATE));
    if (!this.#changes.hasChanged(this.#turnSpeech, await this.model.embed(latest))) return;
    const start = this.#live.last(COMPARED);
    this.#live.forgetBefore(start);
    this.#beginTurn();
    yield { event: "speaker_changed", elapsed: this.#elapsed, start: start / SAMPLE_RATE };
  }

  /** Embed the turn's speech so far, remember it, and ask the question of it. */
  async *#look(): AsyncGenerator<SessionEvent> {
    const clip = this.#live.clip();
    const seconds = clip.quality.seconds_of_speech;
    const embedding = await this.model.embed(clip.speech);
    this.#changes.remember(seconds, embedding);
    const known = seconds >= Math.max(this.moments.latest, REMEMBERED);
    this.#nextLook = known ? Infinity : nextLook(seconds, this.moments.latest);
    if (!this.#decided) yield* this.#ask(clip, embedding, seconds >= this.moments.latest);
  }

  async *#ask(clip: Clip, embedding: Float32Array, finally_: boolean): AsyncGenerator<SessionEvent> {
    const { decider } = this.model;
    const compared = await this.question.compare(clip, embedding);
    if ("answer" in compared) {
      yield this.#decide(compared.answer);
      return;
    }
    const { trial } = compared;
    const shortfall = decider.shortfall(trial.shape, this.test.promised);
    if (shortfall && finally_) {
      yield this.#decide(this.question.tooShort(trial, shortfall));
      return;
    }
    const verdict = finally_ ? this.test.decideFinally(trial, decider) : this.test.decide(trial, decider);
    if (verdict && !shortfall) {
      yield this.#decide(await this.question.answer(trial, verdict));
      return;
    }
    const { threshold } = this.test.acceptance(trial, decider);
    const { name, score, llr } = trial;
    yield { event: "scored", elapsed: this.#elapsed, name, score, llr, threshold, seconds_of_speech: clip.quality.seconds_of_speech };
  }

  #decide(answer: Answer): SessionEvent {
    this.#decided = true;
    return { event: "decided", elapsed: this.#elapsed, answer };
  }
}
