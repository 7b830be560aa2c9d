/** A Verifier in a worker, so that a page stays quick: the same methods, and every answer comes later. */

import { type ClipSource, type ReadOptions, type Samples, soundOf } from "../audio/read.ts";
import type { QualityReport } from "../audio/quality.ts";
import type { Comparison, Identification, Verification } from "../engine/decisions.ts";
import type { SessionEvent } from "../engine/events.ts";
import type { ReplayOptions } from "../engine/replays.ts";
import type { Clips, DecideOptions, EnrollmentReport, EnrollOptions, SearchOptions, SessionOptions, VerifierOptions } from "../engine/verifier.ts";
import type { CardData } from "../model/card.ts";
import type { ImportReport } from "../store/enrollment_store.ts";
import type { Consent, Enrollment, ImportMode, AddMode, VoiceprintRecord } from "../store/records.ts";
import { type Call, type Reply, valueOf } from "./calls.ts";

/** A session in a worker. */
export interface RemoteSession {
  feed(samples: Float32Array | Int16Array, sampleRate: number): Promise<SessionEvent[]>;
  finish(): Promise<SessionEvent[]>;
  /** Forget it without an answer. */
  close(): Promise<void>;
}

/** Load a model in a worker, and open a store there. */
export async function openInWorker(worker: Worker, options: VerifierOptions): Promise<RemoteVerifier> {
  const calls = new Calls(worker);
  return new RemoteVerifier(calls, (await calls.call("open", [options])) as CardData);
}

/** What `Verifier` has, asked of a worker. Clips are decoded here, because workers cannot decode, and read there. */
export class RemoteVerifier {
  constructor(
    readonly calls: Calls,
    readonly card: CardData,
  ) {}

  async enroll(name: string, clips: Clips, options: EnrollOptions = {}): Promise<EnrollmentReport> {
    return this.#ask("enroll", name, await decoded(clips, options), options);
  }

  async verify(name: string, clips: Clips, options: DecideOptions & ReplayOptions = {}): Promise<Verification> {
    return this.#ask("verify", name, await decoded(clips, options), options);
  }

  async identify(clips: Clips, options: SearchOptions = {}): Promise<Identification> {
    return this.#ask("identify", await decoded(clips, options), options);
  }

  async compare(a: Clips, b: Clips, options: DecideOptions = {}): Promise<Comparison> {
    return this.#ask("compare", await decoded(a, options), await decoded(b, options), options);
  }

  async quality(clip: ClipSource, options: ReadOptions = {}): Promise<QualityReport> {
    return this.#ask("quality", (await decoded(clip, options))[0], options);
  }

  async embed(clips: Clips, options: ReadOptions = {}): Promise<Float32Array> {
    return this.#ask("embed", await decoded(clips, options), options);
  }

  async session(options: SessionOptions = {}): Promise<RemoteSession> {
    const id = await this.#ask<number>("session", options);
    const ask = (method: string, ...args: unknown[]) => this.calls.call(method, args, id);
    return {
      feed: (samples, sampleRate) => ask("feed", samples, sampleRate) as Promise<SessionEvent[]>,
      finish: () => ask("finish") as Promise<SessionEvent[]>,
      close: async () => void (await ask("close").catch(() => {})),
    };
  }

  speakers = (): Promise<string[]> => this.#ask("speakers");
  show = (name: string): Promise<Enrollment> => this.#ask("show", name);
  record = (name: string): Promise<VoiceprintRecord> => this.#ask("record", name);
  checkMode = (name: string, mode: AddMode): Promise<void> => this.#ask("checkMode", name, mode);
  rename = (old: string, name: string): Promise<void> => this.#ask("rename", old, name);
  removeExpired = (): Promise<string[]> => this.#ask("removeExpired");
  remove = (name: string): Promise<void> => this.#ask("remove", name);
  setTerms = (name: string, terms: { consent: Consent | null; expires: string | null }): Promise<Enrollment> => this.#ask("setTerms", name, terms);
  optOut = (name: string): Promise<void> => this.#ask("optOut", name);
  optIn = (name: string): Promise<void> => this.#ask("optIn", name);
  optOuts = (): Promise<{ name: string; since: string }[]> => this.#ask("optOuts");
  forgetEverything = (): Promise<void> => this.#ask("forgetEverything");
  exportPeople = (names?: readonly string[]): Promise<string> => this.#ask("exportPeople", names);
  importPeople = (text: string, options: { mode?: ImportMode } = {}): Promise<ImportReport> => this.#ask("importPeople", text, options);

  #ask<Answer>(method: string, ...args: readonly unknown[]): Promise<Answer> {
    return this.calls.call(method, args) as Promise<Answer>;
  }
}

/** Calls that wait for their replies. */
export class Calls {
  #waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: unknown) => void }>();
  #asked = 0;

  constructor(readonly worker: Worker) {
    worker.onmessage = ({ data }: MessageEvent<Reply>) => {
      const waiting = this.#waiting.get(data.id);
      this.#waiting.delete(data.id);
      try {
        waiting?.resolve(valueOf(data));
      } catch (error) {
        waiting?.reject(error);
      }
    };
    worker.onerror = ({ message }) => this.#lose(new Error(message || "the worker cannot be loaded"));
  }

  call(method: string, args: readonly unknown[], session?: number): Promise<unknown> {
    const id = (this.#asked += 1);
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.worker.postMessage({ id, method, args, session } satisfies Call);
    });
  }

  #lose(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

async function decoded(clips: Clips, options: ReadOptions): Promise<ClipSource[]> {
  const listed: readonly ClipSource[] = Array.isArray(clips) ? clips : [clips as ClipSource];
  return Promise.all(listed.map((clip) => decodedClip(clip, options)));
}

async function decodedClip(clip: ClipSource, options: ReadOptions): Promise<ClipSource> {
  if (!(clip instanceof Blob || clip instanceof ArrayBuffer)) return clip;
  const source = options.source ?? (clip instanceof File ? clip.name : "<bytes>");
  const { channels, sample_rate } = await soundOf(clip, source, options.max_seconds);
  return { samples: channels, sample_rate, source } satisfies Samples & { source: string } as Samples;
}
