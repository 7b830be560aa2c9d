// While somebody speaks: the server listens along, and answers as soon as the speech suffices.

import { key } from "./api.js";
import { listen } from "./home.js";

const OPENING = 5_000; // ms; a proxy that knows no WebSockets may never answer
const PATIENCE = 10_000; // ms from the end of the speech to the answer
const CONNECTING = 0; // states, by number: there may be no WebSocket here to ask
const OPEN = 1;
const PROTOCOL = "voiceprint.listen";

/** One WebSocket to the server. Whatever goes wrong with it, the recording can still be sent. */
export class Live {
  #socket;
  #waiting = []; // what is said before it is open
  #answer = null;
  #over;
  #end = () => {};

  /**
   * @param {{claim?: string, sample_rate: number}} question
   * @param {{several: boolean, onEvent: (event: object) => void, onAnswer: (answer: object) => void, onEnd: () => void}} told
   *   several: it goes on after an answer, as where one speaker follows another. onEnd: called where the other side ends it.
   */
  constructor(question, { several = false, onEvent, onAnswer, onEnd = () => {} }) {
    this.#over = new Promise((resolve) => (this.#end = resolve));
    try {
      this.#socket = listen([PROTOCOL, ...(key.get() ? [`voiceprint.key.${key.get()}`] : [])]);
    } catch {
      this.#close(); // no WebSockets here, or a key that is none
      return;
    }
    this.#socket.onopen = () => {
      this.#socket.send(JSON.stringify(question));
      for (const samples of this.#waiting.splice(0)) this.#socket.send(samples);
    };
    this.#socket.onmessage = ({ data }) => {
      const event = JSON.parse(data);
      if (event.event !== "decided") return onEvent(event);
      this.#answer = event.answer;
      if (!several) this.#close();
      onAnswer(event.answer);
    };
    this.#socket.onclose = () => (this.#close(), onEnd());
    setTimeout(() => this.#socket?.readyState === CONNECTING && this.#close(), OPENING);
  }

  /** Pass samples on. */
  send(samples) {
    if (!this.#socket) return;
    if (this.#socket.readyState === OPEN) this.#socket.send(samples);
    else this.#waiting.push(samples);
  }

  /** Say that nothing more comes; returns the answer, or null where the recording has to be sent. */
  async end() {
    if (this.#socket?.readyState === OPEN) this.#socket.send(JSON.stringify({ end: true }));
    else this.#close();
    await Promise.race([this.#over, new Promise((resolve) => setTimeout(resolve, PATIENCE))]);
    this.#close();
    return this.#answer;
  }

  /** Forget the question, and what was answered. */
  hangUp() {
    this.#close();
    this.#answer = null;
  }

  #close() {
    const socket = this.#socket;
    this.#socket = null;
    this.#waiting = [];
    this.#end();
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }
}
