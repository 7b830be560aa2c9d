// The recording panel that the three tasks share: microphone, files, and the clips made of them.

import { ask, formOf, Trouble } from "./api.js";
import { acceptDrops, copyOf, hints, part, say, tellState } from "./dom.js";
import { LoudnessWord, QUIETEST, share, SpeechEstimate, Strip } from "./level.js";
import { Recorder, RecordingTrouble, sendable } from "./recorder.js";
import { clipWord, clock, noteWords, seconds } from "./words.js";

const TEXTS = [
  "On Sunday morning the harbour was quiet. Two gulls sat on the crane, and the smell of bread came down from the square, where somebody was already playing the accordion, rather badly.",
  "My grandmother kept seven clocks, and no two of them agreed. She said that this way she always had time to choose from, and that visitors never knew how late it was.",
  "If you walk through the orchard after rain, go slowly. The paths are steep, the wooden bridge is just wide enough for one, and the blackbirds will shout at you until you reach the fence.",
];

/** A recording that waits to be sent. */
class Clip {
  /** @param {{blob: Blob, fileName: string, label: string}} what */
  constructor({ blob, fileName, label }) {
    this.blob = blob;
    this.fileName = fileName;
    this.label = label;
    this.quality = null; // what the server measured
    this.words = []; // what could be better
    this.item = null; // in the list
  }
}

export class Panel {
  clips = [];
  #root = copyOf("panel-template");
  #strip;
  #recorder = null;
  #wish = null; // the start that is under way; who leaves meanwhile does not wish it any more
  #speech = 0;
  #made = 0;
  #player = new Audio();
  #options;

  /**
   * @param {HTMLElement} place what it takes the place of
   * @param {{several: boolean, stopText: string, goal: number, text: boolean, measured: boolean,
   *   before: () => boolean, asked: () => Promise<string>, onSpeech: (seconds: number) => void, onClips: () => void,
   *   onSamples: (samples: Int16Array, rate: number) => void}} options
   *   several: clips gather; otherwise each takes the place of the one before. before: whether recording may
   *   begin. asked: what is to be said, if anything; it is shown before the recording begins. onClips: called when recordings came or went. onSamples: called with what is recorded, as it comes.
   */
  constructor(place, options) {
    this.#options = { several: false, text: false, measured: false, before: () => true, asked: async () => "", onSpeech: () => {}, onSamples: () => {}, ...options };
    this.limits = { maxSeconds: 120, maxBytes: Infinity }; // until the server has said its own
    this.#strip = new Strip(part(this.#root, "strip"));
    place.replaceWith(this.#root);
    part(this.#root, "record").addEventListener("click", () => this.#toggle());
    part(this.#root, "file").addEventListener("change", (event) => this.#chosen(event.target));
    part(this.#root, "file").multiple = options.several;
    if (options.several) {
      part(this.#root, "file-text").textContent = "Choose files";
      this.#root.querySelector(".drop-text").textContent = "or drop them here";
    }
    acceptDrops(this.#root, (files) => this.#take(files));
    this.#showText();
  }

  /** Seconds of speech in the clips so far and in what is being recorded. */
  get speech() {
    const kept = this.clips.reduce((sum, clip) => sum + (clip.quality?.seconds_of_speech ?? clip.estimate ?? 0), 0);
    return kept + (this.#recorder ? this.#speech : 0);
  }

  get recording() {
    return this.#recorder !== null;
  }

  get recordButton() {
    return part(this.#root, "record");
  }

  set measured(value) {
    this.#options.measured = value;
  }

  /** Forget the recordings, without a call of onClips. */
  clear() {
    this.clips = [];
    this.#made = 0;
    this.#player.pause();
    this.#strip.clear();
    this.tell("");
    if (!this.#options.text) part(this.#root, "say").textContent = "";
    this.#idle();
    this.#show();
  }

  /** Say something beneath the record button. */
  tell(text, tone = "") {
    tellState(this.#root, text, tone);
  }

  /** Mark each clip with a word from the server, in their order. */
  mark(words) {
    this.clips.forEach((clip, index) => (clip.words = words[index] ? [words[index]] : []));
    this.#show();
  }

  /** End a recording without keeping it. */
  async cancel() {
    this.#wish = null;
    const recorder = this.#recorder;
    this.#recorder = null;
    this.#idle();
    await recorder?.stop();
  }

  #showText() {
    if (this.#options.text) part(this.#root, "say").textContent = `“${TEXTS[this.#made % TEXTS.length]}”`;
  }

  #showAsked(text) {
    if (!text) return;
    part(this.#root, "say").textContent = text;
    say(text);
  }

  async #toggle() {
    if (this.#root.dataset.state === "starting") return;
    if (this.#recorder) await this.#stop();
    else if (this.#options.before()) await this.#start();
  }

  async #start() {
    this.#root.dataset.state = "starting";
    this.#player.pause();
    this.#showLength(0);
    this.#strip.clear();
    this.tell("Waiting for the microphone…");
    const wish = (this.#wish = {});
    try {
      this.#showAsked(await this.#options.asked());
      const recorder = await Recorder.start(this.#listener());
      if (this.#wish !== wish) return void recorder.stop();
      this.#recorder = recorder;
    } catch (error) {
      if (!(error instanceof RecordingTrouble || error instanceof Trouble)) throw error;
      this.#idle();
      this.tell([error.title, error.message].filter(Boolean).join(". "), "bad");
      return;
    }
    if (!this.#options.several) this.#set([]); // a new question; what was said of the old one goes with it
    this.#recorder.onEnded = () => this.#stop("The microphone is gone. What was recorded until then is kept.");
    this.#root.dataset.state = "recording";
    part(this.#root, "record-text").textContent = this.#options.stopText;
    this.tell("Recording. Speak as you usually do.");
  }

  #listener() {
    const estimate = new SpeechEstimate();
    const loudness = new LoudnessWord();
    let before = 0;
    return ({ level, peak, seconds: length, samples, rate }) => {
      const speaking = estimate.add(level, length - before);
      const word = loudness.add({ level, peak, speaking, length: length - before });
      before = length;
      this.#speech = estimate.seconds;
      if (this.#root.dataset.state !== "idle") this.#meter(level, length, speaking); // not the last one's rest
      if (this.#recorder) this.tell(word || this.#progress(length), word ? "warn" : "");
      this.#options.onSpeech();
      if (this.#recorder) this.#options.onSamples(samples, rate);
      if (length >= this.limits.maxSeconds - 1) this.#stop();
    };
  }

  #progress(length) {
    if (this.#options.several || length < 1.5) return "Recording. Speak as you usually do.";
    return this.#speech < this.#options.goal ? "Good. Go on…" : "That is enough: stop whenever you like.";
  }

  #meter(level, length, speaking) {
    this.#strip.add(level, speaking);
    const meter = part(this.#root, "level");
    meter.setAttribute("aria-valuenow", Math.round(Math.max(level, QUIETEST)));
    meter.style.setProperty("--share", share(level));
    this.#showLength(length);
  }

  #showLength(length) {
    part(this.#root, "clock").textContent = clock(length);
  }

  /** End a recording and keep it. */
  stop() {
    return this.#stop();
  }

  async #stop(word = "") {
    const recorder = this.#recorder;
    if (!recorder) return;
    this.#recorder = null;
    const estimate = this.#speech;
    this.#idle();
    this.tell(word, "warn");
    const blob = await recorder.stop();
    this.#made += 1;
    this.#showText();
    await this.#keep([{ blob, fileName: `recording-${this.#made}.wav`, label: `Recording ${this.#made}`, estimate }]);
  }

  #idle() {
    this.#root.dataset.state = "idle";
    this.#speech = 0;
    part(this.#root, "level").style.setProperty("--share", 0);
    part(this.#root, "record-text").textContent = this.#options.several && this.#made ? "Record another" : "Record";
  }

  async #chosen(input) {
    const files = [...input.files];
    input.value = ""; // so that the same file may be chosen again
    await this.#take(files);
  }

  async #take(files) {
    const busy = this.#root.dataset.state !== "idle" || this.#root.closest("fieldset:disabled");
    if (!files.length || busy || !this.#options.before()) return;
    if (!this.#options.several && files.length > 1) {
      this.tell("One recording at a time, please.", "warn");
      return;
    }
    const made = await Promise.allSettled(files.map(async (file) => ({ label: file.name, ...sendable(file, this.limits) })));
    this.tell(made.map((one) => one.reason?.message).filter(Boolean).join(" "), "warn");
    const usable = made.flatMap((one) => one.value ?? []);
    if (usable.length) await this.#keep(usable);
  }

  /** Take recordings that were made elsewhere: `{blob, fileName, label}` each. */
  add(made) {
    return this.#keep(made);
  }

  async #keep(made) {
    const clips = made.map((what) => Object.assign(new Clip(what), { estimate: what.estimate }));
    this.#idle();
    this.#set(this.#options.several ? [...this.clips, ...clips] : clips);
    if (this.#options.measured) await Promise.all(clips.map((clip) => this.#measure(clip)));
    this.#show();
  }

  /** Have a recording measured by the server; what goes wrong is said when it is used. */
  async #measure(clip) {
    try {
      clip.quality = await ask("POST", "/v1/quality", { body: formOf("clip", [clip]) });
      clip.words = noteWords(clip.quality);
    } catch ({ code }) {
      if (code === "clip-unusable") clip.words = [clipWord({ status: "unreadable" })];
      if (code === "channels-differ") clip.words = [clipWord({ status: "channels_differ" })];
    }
    clip.measured = true;
    if (clip.words.length) say(`${clip.label}: ${clip.words.join(". ")}`);
  }

  #set(clips) {
    this.clips = clips;
    this.#show();
    this.#options.onClips();
  }

  #show() {
    const list = part(this.#root, "clips");
    for (const clip of this.clips) {
      clip.item ??= this.#item(clip);
      this.#fill(clip);
    }
    const items = this.clips.map((clip) => clip.item);
    for (const gone of [...list.children].filter((item) => !items.includes(item))) gone.remove();
    list.append(...items.filter((item) => !item.isConnected)); // those that stay keep the keyboard's focus
    this.#root.dispatchEvent(new Event("input")); // what was wrong with the recordings may be right now
    this.#options.onSpeech();
  }

  #fill({ item, quality, measured, words }) {
    const waiting = this.#options.measured && !measured;
    part(item, "facts").textContent = quality
      ? `${seconds(quality.seconds_of_speech)} of speech`
      : waiting ? "Listening to it…" : "";
    hints(part(item, "hints"), words);
  }

  #item(clip) {
    const item = copyOf("clip-template");
    part(item, "name").textContent = clip.label;
    const play = part(item, "play");
    play.setAttribute("aria-label", `Play ${clip.label}`);
    play.addEventListener("click", () => this.#play(clip, play));
    const drop = part(item, "drop");
    drop.setAttribute("aria-label", `Leave out ${clip.label}`);
    drop.addEventListener("click", () => {
      this.#player.pause();
      this.#set(this.clips.filter((other) => other !== clip));
      part(this.#root, "record").focus();
      say(`${clip.label} was left out`);
    });
    return item;
  }

  #play(clip, play) {
    const icon = (name) => play.querySelector("use").setAttribute("href", `#i-${name}`);
    const playing = play.querySelector("use").getAttribute("href") === "#i-pause";
    this.#player.pause();
    if (playing) return;
    URL.revokeObjectURL(this.#player.src);
    this.#player = new Audio(URL.createObjectURL(clip.blob));
    this.#player.addEventListener("play", () => icon("pause"));
    for (const end of ["pause", "ended"]) this.#player.addEventListener(end, () => icon("play"));
    this.#player.play().catch(() => this.tell("The browser cannot play this file; it may still be listened to.", "warn"));
  }
}
