// "Who speaks now?": the microphone stays open, and each turn gets a name as soon as its speech suffices.

import { Trouble } from "./api.js";
import { element, openFields, part, tellState } from "./dom.js";
import { Live } from "./live.js";
import { Recorder, RecordingTrouble } from "./recorder.js";
import { clock } from "./words.js";

const SHOWN = 50; // turns that stay in the list
const NAMES = {
  unknown: "Unknown voice", not_enough_speech: "Too little speech",
  replayed: "A recording that was heard before", spoofed: "This does not sound like somebody speaking live",
};

export class Now {
  #recorder = null;
  #live = null;
  #turn = null; // the one that is being spoken
  #wish = null; // the start that is under way; who leaves meanwhile does not wish it any more

  constructor(view) {
    this.view = view;
    this.list = part(view, "turns");
    part(view, "listen").addEventListener("click", () => (this.#recorder || this.#wish ? this.#stop() : this.#start()));
    this.#show();
  }

  allow(access) {
    openFields(this.view, "verify", access);
  }

  leave() {
    return this.#stop();
  }

  async #start() {
    const wish = (this.#wish = {});
    this.list.replaceChildren();
    this.#turn = null;
    this.#tell("Waiting for the microphone…");
    try {
      const recorder = await Recorder.start(({ samples, rate }) => this.#feed(samples, rate), { keep: false });
      if (this.#wish !== wish) return void recorder.stop();
      this.#wish = null;
      this.#recorder = recorder;
      recorder.onEnded = () => this.#stop("The microphone is gone.");
      this.#tell("Listening…");
    } catch (error) {
      if (!(error instanceof RecordingTrouble || error instanceof Trouble)) throw error;
      this.#wish = null;
      this.#tell([error.title, error.message].filter(Boolean).join(". "), "bad");
    }
  }

  async #stop(word = "", tone = "warn") {
    const recorder = this.#recorder;
    this.#recorder = this.#wish = null;
    this.#live?.hangUp();
    this.#live = null;
    this.#tell(word, tone);
    await recorder?.stop();
  }

  #feed(samples, rate) {
    if (!this.#recorder) return;
    this.#live ??= new Live({ sample_rate: rate }, {
      several: true,
      onEvent: (event) => this.#follow(event),
      onAnswer: (answer) => this.#decided(answer),
      onEnd: () => this.#stop("The listening has ended. Press Listen to go on."),
    });
    this.#live.send(samples);
  }

  #follow({ event, start, name }) {
    if (event === "speaker_changed" || (event === "speech_began" && !this.#turn)) this.#begin(start);
    if (event === "scored") this.#say(`${name}?`);
  }

  /** Somebody begins to speak. */
  #begin(start) {
    this.#turn = element("li", { class: "clip" },
      element("span", { class: "hint", "data-part": "clock" }, clock(start)),
      element("strong", { "data-part": "who" }, "…"));
    this.list.prepend(this.#turn);
    while (this.list.children.length > SHOWN) this.list.lastElementChild.remove();
  }

  #decided({ decision, name }) {
    if (!this.#turn) this.#begin(0);
    this.#turn.dataset.decided = decision;
    this.#say(name ?? NAMES[decision]);
    this.#tell(`Now: ${name ?? NAMES[decision]}`);
  }

  #say(words) {
    if (this.#turn) part(this.#turn, "who").textContent = words;
  }

  #tell(text, tone = "") {
    tellState(this.view, text, tone);
    this.#show();
  }

  #show() {
    const listening = Boolean(this.#recorder || this.#wish);
    part(this.view, "panel").dataset.state = this.#recorder ? "recording" : this.#wish ? "starting" : "idle";
    part(this.view, "listen-text").textContent = listening ? "Stop" : "Listen";
  }
}
