// Enroll: several recordings, consent, one voiceprint.

import { AnswerPlace } from "./answer.js";
import { ask, findPeople, formOf, onceKey, speakerPath } from "./api.js";
import { button, copyOf, element, endOfDay, faults, goTo, notice, openFields, part, say } from "./dom.js";
import { Panel } from "./panel.js";
import { enrollmentVerdict } from "./verdict.js";
import { clipWord, count, day, exact, seconds } from "./words.js";

const NEEDED = 3; // s of speech that the server wants
const GOAL = 10; // s that make a good voiceprint
const ALIKE = 200; // people whose names are looked through for the same one

// What the recordings may become, and what the button that sends them says
const SUBMIT = { new: "Enroll", add: "Add to the voiceprint", replace: "Replace the voiceprint", force: "Replace the voiceprint" };

export class Enroll {
  #once = onceKey();
  #mode = "new";
  #known = null; // the enrolled person of that name, once the page knows of one
  #wanted = false; // whether it was tried to enroll, and only the choice is missing
  #onEnrolled = () => {}; // whoever brought the recordings is told the name

  constructor(view) {
    this.view = view;
    this.form = view.querySelector("form");
    this.fields = this.form.elements;
    this.may = () => false;
    this.answer = new AnswerPlace(part(view, "answer"), () => copyOf("steps-template"));
    this.panel = new Panel(part(view, "panel"), {
      several: true,
      text: true,
      measured: true,
      stopText: "Stop",
      goal: GOAL,
      onSpeech: () => this.#showSpeech(),
      onClips: () => this.#changed(),
    });
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.form.addEventListener("input", () => this.#changed());
    this.fields.name.addEventListener("input", () => this.#decide("new", null));
    this.fields.name.addEventListener("change", () => this.#lookUp());
    this.#changed();
    this.#showSpeech();
  }

  allow({ limits, maxClips, may, why }) {
    this.may = may;
    this.maxClips = maxClips;
    this.panel.limits = limits;
    this.panel.measured = may("verify"); // without it recordings are judged when they are enrolled
    openFields(this.view, "enroll", { may, why });
    this.answer.clear();
  }

  leave() {
    return this.panel.cancel();
  }

  /**
   * Begin with a name, with adding to the voiceprint of somebody who is enrolled, or with recordings.
   *
   * @param {string} name
   * @param {{add: object, clips: object[], onEnrolled: (name: string) => void}} options
   *   onEnrolled: called when this person was enrolled, and no other.
   */
  begin(name, { add = null, clips = [], onEnrolled = () => {} } = {}) {
    this.#onEnrolled = onEnrolled;
    this.fields.name.value = name;
    this.fields.agreed.checked = false;
    this.panel.clear();
    this.#decide(add ? "add" : "new", add);
    this.#changed();
    if (!add) this.#lookUp();
    if (clips.length) this.panel.add(clips);
  }

  /** Something of what would be asked is another: an answer that stands there belongs to what it was. */
  #changed() {
    this.#once = onceKey();
    this.answer.clear();
    const { purpose, until, by } = this.fields;
    part(this.view, "terms").textContent =
      `For ${purpose.value.trim() || "…"}, ${until.value ? `until ${day(until.value)}` : "until it is removed"}` +
      (by.value.trim() ? `, agreed by ${by.value.trim()}` : "");
  }

  #showSpeech() {
    const speech = this.panel?.speech ?? 0;
    const bar = part(this.view, "speech-bar");
    bar.style.setProperty("--share", Math.min(1, speech / GOAL));
    bar.setAttribute("aria-valuenow", Math.min(GOAL, Math.round(speech)));
    bar.setAttribute("aria-valuetext", `${seconds(speech)} of ${GOAL} seconds`);
    bar.dataset.enough = String(speech >= NEEDED);
    part(this.view, "speech-text").textContent = `${exact(speech).replace(" s", "")} of ${GOAL} s`;
    const hint = speech >= GOAL ? "That makes a good voiceprint."
      : speech >= NEEDED ? "Enough to enroll; more makes it better."
      : `At least ${NEEDED} seconds of speech are needed.`;
    if (part(this.view, "speech-hint").textContent !== hint) part(this.view, "speech-hint").textContent = hint;
  }

  // Whether the name has a voiceprint, and what is to become of it

  /** Find out whether somebody of that name, in whatever case, is enrolled. */
  async #lookUp() {
    const name = this.fields.name.value.trim();
    if (!name || this.#known || !this.may("enroll")) return;
    const found = await findPeople({ search: name, limit: ALIKE }).catch(() => null); // the server says it at the latest
    if (this.fields.name.value.trim() !== name || this.#known) return;
    const same = found?.speakers.find((person) => !person.name.localeCompare(name, undefined, { sensitivity: "accent" }));
    if (same) this.#decide("ask", same);
  }

  /** Take what is to be done: "new", "add", "replace", "force" (by whatever voice), or "ask" for it. */
  #decide(mode, known) {
    this.#once = onceKey(); // another request
    this.#mode = mode;
    this.#known = known;
    if (!known) this.#wanted = false;
    if (known) this.fields.name.value = known.name;
    part(this.view, "submit").textContent = SUBMIT[mode] ?? SUBMIT.new;
    const place = part(this.view, "choice");
    place.hidden = mode === "new";
    place.replaceChildren(...(mode === "new" ? [] : this.#choice(mode, known)));
  }

  #choice(mode, { name, clips, created }) {
    if (mode !== "ask") {
      const what = mode === "add" ? `The recordings are added to the voiceprint of ${name}.` : `The voiceprint of ${name} is made anew from these recordings alone.`;
      return [element("p", {}, what), button("Enroll somebody else", () => this.#rename(), "small")];
    }
    const held = clips ? `, made of ${count(clips, "recording")} on ${day(created)}` : "";
    const buttons = [button("Add to it", () => this.#choose("add"), "small")];
    if (this.may("admin")) buttons.push(button("Replace it", () => this.#choose("replace"), "small"));
    buttons.push(button("Use another name", () => this.#rename(), "small"));
    const warning = this.may("admin") ? " Replacing it erases what is there." : "";
    return [element("p", {}, `${name} has a voiceprint already${held}.${warning}`), element("div", { class: "row" }, ...buttons)];
  }

  #choose(mode) {
    const send = this.#wanted;
    this.#decide(mode, this.#known);
    this.#changed();
    if (send) this.#submit();
    else part(this.view, "choice").querySelector("button").focus();
  }

  #rename() {
    this.#decide("new", null);
    this.#changed();
    this.fields.name.select();
    goTo(this.fields.name);
  }

  #goToChoice() {
    this.#wanted = true;
    const place = part(this.view, "choice");
    goTo(place.querySelector("button"), place);
  }

  // Sending

  #complete() {
    const { name, agreed, purpose } = this.fields;
    const record = this.panel.recordButton;
    const { length } = this.panel.clips;
    const wrong = [];
    if (!name.value.trim()) wrong.push([name, "Say first who is speaking."]);
    if (this.#mode !== "add" && !agreed.checked) wrong.push([agreed, "A voiceprint is kept only of people who agree. Ask them, then tick the box."]);
    if (agreed.checked && !purpose.value.trim()) wrong.push([purpose, "Say what they agreed to."]);
    if (this.panel.recording) wrong.push([record, "Stop the recording first."]);
    else if (!length) wrong.push([record, "There is no recording yet. Press Record and speak, or choose a file."]);
    else if (length > this.maxClips) wrong.push([record, `The server takes ${this.maxClips} recordings at once. Leave some out, and add them afterwards.`]);
    if (wrong.some(([field]) => field === purpose)) part(this.view, "terms-more").open = true;
    return faults(wrong);
  }

  #submit() {
    if (this.#mode === "ask") this.#goToChoice();
    else if (this.#complete()) this.answer.ask("Making the voiceprint…", (options) => this.#send(options), { told: (error) => this.#told(error) });
  }

  async #send({ signal, onBusy }) {
    const fields = part(this.view, "fields");
    const name = this.fields.name.value.trim();
    const told = this.#onEnrolled;
    fields.disabled = true;
    try {
      const made = await this.#ask(name, onBusy);
      this.onChange();
      told(made.speaker.name);
      if (signal.aborted) notice(this.view, `${name} was enrolled.`, { tone: "good" });
      return this.#verdict(made, signal);
    } catch (error) {
      if (signal.aborted) notice(this.view, `${name} was not enrolled. ${error.title}.`);
      throw error;
    } finally {
      fields.disabled = false;
    }
  }

  #ask(name, onBusy) {
    const mode = this.#mode;
    const said = { new: { name }, force: { mode: "replace", force: "true" } }[mode] ?? { mode };
    const body = formOf("clips", this.panel.clips, { ...said, ...this.#terms(name) });
    const path = mode === "new" ? "/v1/speakers" : speakerPath(name, "/enrollments");
    return ask("POST", path, { body, once: this.#once, onBusy });
  }

  #terms(name) {
    const { agreed, by, purpose, until } = this.fields;
    if (!agreed.checked) return {};
    return {
      consent_by: by.value.trim() || name,
      consent_purpose: purpose.value.trim(),
      expires: endOfDay(until.value),
    };
  }

  #verdict(made, { aborted }) {
    const { speaker, clips } = made;
    const label = (clip) => this.panel.clips[clips.indexOf(clip)]?.label ?? clip.source;
    const words = clips.filter((clip) => clip.status !== "used").map((clip) => `${label(clip)}: ${clipWord(clip)}`);
    const actions = [["Enroll somebody else", () => (this.begin(""), this.fields.name.focus())]];
    if (this.may("verify")) actions.unshift(["Verify them now", () => this.onVerify(speaker.name)]);
    if (!aborted) this.#reset();
    const total = count(speaker.clips, "recording");
    return enrollmentVerdict(made, { words, actions, speech: seconds(speaker.seconds_of_speech), total });
  }

  /** Empty the form for the next person; the answer about this one is about to be shown. */
  #reset() {
    this.fields.name.value = "";
    this.fields.agreed.checked = false;
    this.#onEnrolled = () => {};
    this.#decide("new", null);
    this.#once = onceKey();
    this.panel.clear();
  }

  /** Say beside the form what is best said there; returns whether that was so. */
  #told(error) {
    const { clips } = error.problem;
    if (clips?.length === this.panel.clips.length) {
      this.panel.mark(clips.map(clipWord));
      say("The recordings are marked");
    }
    const { code } = error;
    if (code === "speaker-exists") this.#tellExists();
    if (code === "voice-disagrees") this.#tellOtherVoice(error);
    if (code === "consent-needed") faults([[this.fields.agreed, error.message]]);
    if (code === "name-invalid") faults([[this.fields.name, `${error.title}. ${error.message}`]]);
    return ["speaker-exists", "voice-disagrees", "consent-needed", "name-invalid"].includes(code);
  }

  #tellOtherVoice(error) {
    const place = part(this.view, "choice");
    const force = button("Replace it all the same", () => (this.#decide("force", this.#known), this.#submit()), "small");
    const other = button("Use another name", () => this.#rename(), "small");
    place.replaceChildren(element("p", {}, `${error.title}. ${error.message}`), element("div", { class: "row" }, force, other));
    goTo(other, place);
  }

  async #tellExists() {
    await this.#lookUp();
    if (!this.#known) this.#decide("ask", { name: this.fields.name.value.trim() });
    this.#goToChoice();
  }
}
