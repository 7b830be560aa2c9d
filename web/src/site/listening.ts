/** What a WebSocket to the server is to the page, answered by a session in this tab. */

import type { SessionEvent } from "../engine/events.ts";
import { VoiceprintError } from "../errors.ts";
import type { RemoteSession, RemoteVerifier } from "../worker/client.ts";
import { notEnrolled } from "./routes.ts";

const CONNECTING = 0; // states, as those of a WebSocket
const OPEN = 1;
const CLOSED = 3;
const BEHIND = 400; // messages of 50 ms that may wait: who is 20 s behind does not catch up

/** The first message is the question as JSON; then come samples, and `{"end": true}`. */
export class TabSocket {
  readyState = CONNECTING;
  onopen: (() => void) | null = null;
  onmessage: ((message: { data: string }) => void) | null = null;
  onclose: (() => void) | null = null;
  #session: Promise<RemoteSession> | null = null;
  #claim: string | undefined;
  #rate = 0;
  #behind = 0;

  constructor(readonly engine: Promise<RemoteVerifier>) {
    engine.then(
      () => this.readyState === CONNECTING && ((this.readyState = OPEN), this.onopen?.()),
      () => this.close(),
    );
  }

  /** Take the next message; what goes wrong with it closes the connection. */
  send(message: string | Int16Array): void {
    const end = typeof message === "string" && this.#session !== null;
    if (typeof message === "string" && !end) return this.#ask(JSON.parse(message));
    if ((this.#behind += 1) > BEHIND) return this.close();
    void this.#feed(end ? null : (message as Int16Array));
  }

  close(): void {
    if (this.readyState === CLOSED) return;
    this.readyState = CLOSED;
    this.#session?.then((session) => session.close()).catch(() => {});
    this.onclose?.();
  }

  #ask({ claim, sample_rate: rate }: { claim?: string; sample_rate: number }): void {
    this.#claim = claim;
    this.#rate = rate;
    this.#session = this.engine.then((engine) => engine.session(claim === undefined ? {} : { claim }));
    this.#session.catch((error: unknown) => this.#refused(error));
  }

  async #feed(samples: Int16Array | null): Promise<void> {
    try {
      const session = await this.#session;
      const events = (await (samples ? session?.feed(samples, this.#rate) : session?.finish())) ?? [];
      this.#behind -= 1;
      for (const event of events) this.#tell(event);
      if (!samples) this.close();
    } catch (error) {
      await this.#refused(error);
    }
  }

  #tell(event: SessionEvent): void {
    if (this.readyState === CLOSED) return;
    this.onmessage?.({ data: JSON.stringify(event) });
    if (event.event === "decided" && this.#claim !== undefined) this.close();
  }

  async #refused(error: unknown): Promise<void> {
    if (error instanceof VoiceprintError && error.code === "speaker_not_found" && this.#claim !== undefined && this.readyState !== CLOSED) {
      const answer = notEnrolled(await this.engine, this.#claim);
      this.onmessage?.({ data: JSON.stringify({ event: "decided", elapsed: 0, answer }) });
    }
    this.close();
  }
}
