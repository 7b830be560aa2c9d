// Verify and identify: one recording, one answer.

import { AnswerPlace, nothing } from "./answer.js";
import { ask, findPeople, formOf, speakerPath } from "./api.js";
import { button, faults, openFields, part } from "./dom.js";
import { Live } from "./live.js";
import { Panel } from "./panel.js";
import { identificationVerdict, verificationVerdict } from "./verdict.js";
import { noteWords } from "./words.js";

const ENOUGH = 3; // s of speech, a good claim
const TYPING = 150; // ms without a key: then names are looked up

/** A task that answers while somebody speaks, or as soon as a recording is there. */
class OneClipTask {
  #live = null; // the server listens along to what is being recorded
  empty = false; // whether nobody is enrolled, so far as is known

  constructor(view, { stopText }) {
    this.view = view;
    this.form = view.querySelector("form");
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      const [clip] = this.panel.clips;
      if (clip && this.ready()) this.send(clip);
    });
    this.may = () => false;
    this.panel = new Panel(part(view, "panel"), {
      stopText,
      goal: ENOUGH,
      before: () => this.ready(),
      asked: () => this.asks(),
      onClips: () => this.#come(),
      onSamples: (samples, rate) => this.#feed(samples, rate),
    });
    this.answer = new AnswerPlace(part(view, "answer"), () => this.nothing());
  }

  /** Whether a recording may be asked about. */
  ready() {
    return true;
  }

  /** What somebody has to say, if anything. */
  async asks() {
    return "";
  }

  /** Whether the server listens along while somebody speaks. */
  get along() {
    return true;
  }

  /** What stands in the place of the answer while nothing is asked. */
  nothing() {
    const [clip] = this.panel.clips;
    if (this.empty) return nothing("Nobody is enrolled here yet, so there is nobody to compare with.", button("Enroll the first person", () => this.onEnroll(""), "primary"));
    if (!clip || clip !== this.asked) return nothing(this.hint);
    const again = button(`Ask with ${clip.label}`, () => this.ready() && this.send(clip));
    return nothing("The question has changed. Ask it with the same recording, or make a new one.", again);
  }

  /** Take what the server allows. */
  allow({ limits, may, why }) {
    this.may = may;
    this.panel.limits = limits;
    openFields(this.view, "verify", { may, why });
    this.answer.clear();
  }

  /** People came or went: an answer may be true no longer. */
  peopleChanged() {
    this.answer.clear();
  }

  /** Take how many people are enrolled. */
  set total(value) {
    this.empty = value === 0;
    this.answer.refresh();
  }

  leave() {
    const cancelled = this.panel.cancel();
    this.hangUp();
    this.#live = null;
    this.answer.unfollow();
    return cancelled;
  }

  /** The question changes while somebody speaks: what they say is asked about once it is recorded. */
  hangUp() {
    this.#live?.hangUp();
  }

  #feed(samples, rate) {
    if (!this.along) return;
    this.#live ??= new Live({ ...this.question(), sample_rate: rate }, {
      onEvent: (event) => this.#follow(event),
      onAnswer: () => this.panel.stop(),
    });
    this.#live.send(samples);
  }

  #follow({ event, name, score, threshold }) {
    if (event === "scored") this.answer.follow(this.likeliest(name), { score, threshold });
    else if (event === "speech_began") this.answer.follow("Listening…", null);
  }

  /** The recording changed: ask about the new one. */
  #come() {
    const [clip] = this.panel.clips;
    if (clip === this.asked) return;
    this.asked = clip;
    const live = this.#live;
    this.#live = null;
    this.answer.clear();
    if (clip && this.ready()) this.send(clip, live);
  }

  /** Ask about a recording, unless who listened along has answered already. */
  send(clip, live = null) {
    return this.answer.ask("Listening to the recording…", async (options) => {
      const answer = await live?.end();
      options.signal.throwIfAborted();
      return this.say(answer ?? (await this.decide(clip, options)));
    });
  }
}

/** "Is this who they say?" */
export class Verify extends OneClipTask {
  #typing = 0;
  #challenge = null; // the words that were asked for; they are answered once
  #challenged = false; // whether the server verifies nobody without

  constructor(view) {
    super(view, { stopText: "Stop and verify" });
    this.name = this.form.elements.name;
    this.name.addEventListener("input", () => {
      this.hangUp();
      this.answer.clear();
      clearTimeout(this.#typing);
      this.#typing = setTimeout(() => this.#suggest(), TYPING);
    });
  }

  get hint() {
    return "The answer will stand here: accepted or rejected, how clearly, and what that means.";
  }

  allow(access) {
    this.#challenged = access.challenged;
    super.allow(access);
  }

  async asks() {
    if (!this.#challenged) return "";
    this.#challenge = await ask("POST", "/v1/challenges");
    return `Say in English: ${this.#challenge.words.join(", ")}.`;
  }

  get along() {
    return !this.#challenged;
  }

  ready() {
    return faults(this.name.value.trim() ? [] : [[this.name, "Say first whose voice it is claimed to be."]]);
  }

  /** Begin with somebody's name. */
  claim(name) {
    this.name.value = name;
    this.panel.clear();
    this.answer.clear();
  }

  async #suggest() {
    const typed = this.name.value.trim();
    if (!typed || !this.may("enroll")) return;
    const found = await findPeople({ search: typed }).catch(() => null); // without suggestions one can go on
    if (!found || typed !== this.name.value.trim()) return;
    const names = found.speakers.map(({ name }) => Object.assign(document.createElement("option"), { value: name }));
    document.getElementById("names").replaceChildren(...names);
  }

  question() {
    return { claim: this.name.value.trim() };
  }

  likeliest() {
    return "Listening…";
  }

  decide(clip, options) {
    const path = speakerPath(this.name.value.trim(), "/verify");
    const challenge = this.#challenge;
    this.#challenge = null;
    return ask("POST", path, { body: formOf("clip", [clip], challenge ? { challenge: challenge.id } : {}), ...options });
  }

  say(answer) {
    const words = answer.accepted ? [] : noteWords(answer);
    return verificationVerdict(answer, { words, actions: this.#actions(answer) });
  }

  #actions({ decision, name }) {
    if (!this.may("enroll")) return [];
    if (decision === "not_enrolled") return [["Enroll them", () => this.onEnroll(name)]];
    return decision === "expired" ? [["See them under People", () => this.onPeople(name)]] : [];
  }
}

/** "Whose voice is this?" */
export class Identify extends OneClipTask {
  constructor(view) {
    super(view, { stopText: "Stop and identify" });
  }

  get hint() {
    return "The nearest voices will stand here, and whether one of them is near enough to be named.";
  }

  question() {
    return {};
  }

  likeliest(name) {
    return `Listening… most like ${name}`;
  }

  decide(clip, options) {
    return ask("POST", "/v1/identify", { body: formOf("clip", [clip]), ...options });
  }

  say(answer) {
    const words = answer.decision === "identified" ? [] : noteWords(answer);
    return identificationVerdict(answer, { words, actionsFor: (how, fit) => this.#actions(how, fit) });
  }

  #actions(how, fit) {
    if (how === "several") return fit.slice(0, 3).map((name) => [`Verify ${name}`, () => this.onVerify(name)]);
    return how === "nobody" && this.may("enroll") ? [["Enroll the first person", () => this.onEnroll("")]] : [];
  }
}
