// Enroll: several clips, consent, one voiceprint.

import { ask, formOf, onceKey, speakerPath } from "./api.js";
import { button, copyOf, endOfDay, fault, notice, part, say } from "./dom.js";
import { Panel } from "./panel.js";
import { showBusy, showVerdict } from "./verdict.js";
import { clipWord, count, exact, seconds } from "./words.js";

const NEEDED = 3; // s of speech that the server wants
const GOAL = 10; // s that make a good voiceprint

export class Enroll {
  #once = onceKey();

  constructor(view) {
    this.view = view;
    this.form = view.querySelector("form");
    this.answer = part(view, "answer");
    this.fields = this.form.elements;
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
      this.#send();
    });
    this.form.addEventListener("change", () => (this.#once = onceKey()));
    this.fields.name.addEventListener("input", () => this.#forgetMode());
    this.answer.replaceChildren(copyOf("steps-template"));
    this.#showSpeech();
  }

  allow({ maxSeconds, maxClips, may, why }) {
    this.panel.maxSeconds = maxSeconds;
    this.panel.measured = may("verify"); // without it clips are judged when they are enrolled
    this.maxClips = maxClips;
    part(this.view, "fields").disabled = !may("enroll");
    notice(this.view, may("enroll") ? "" : why("enroll"), { tone: "warn" });
  }

  leave() {
    return this.panel.cancel();
  }

  /** Begin with a name; for somebody who is enrolled, with adding to their voiceprint. */
  begin(name, { add = false } = {}) {
    this.fields.name.value = name;
    this.#forgetMode();
    this.panel.clear();
    this.answer.replaceChildren(copyOf("steps-template"));
    if (add) this.#askMode("add");
  }

  get #mode() {
    return part(this.view, "mode").hidden ? "new" : this.fields.mode.value;
  }

  #askMode(chosen) {
    part(this.view, "mode").hidden = false;
    this.fields.mode.value = chosen;
    this.#showMode();
  }

  #forgetMode() {
    part(this.view, "mode").hidden = true;
    this.#showMode();
  }

  #showMode() {
    // Adding to a voiceprint keeps what was agreed to; a box that is ticked says it anew.
    part(this.view, "submit").textContent = this.#mode === "new" ? "Enroll" : this.#mode === "add" ? "Add the clips" : "Replace the voiceprint";
  }

  #changed() {
    this.#once = onceKey();
    notice(this.view);
    this.#showSpeech();
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

  #complete() {
    const { name, agreed, purpose } = this.fields;
    const wrong =
      this.panel.recording ? [this.view.querySelector(".record"), "Stop the recording first."]
      : !name.value.trim() ? [name, "Say first who is speaking."]
      : this.#mode === "new" && !part(this.view, "mode").hidden ? [name, "There is a voiceprint of this name already. Choose another name, or what to do with it."]
      : !this.panel.clips.length ? [this.view.querySelector(".record"), "There is no clip yet. Press Record and speak, or choose a file."]
      : this.panel.clips.length > this.maxClips ? [this.view.querySelector(".clip button"), `The server takes ${this.maxClips} clips at once. Leave some out, and add them afterwards.`]
      : this.#mode !== "add" && !agreed.checked ? [agreed, "A voiceprint is kept only of who agrees. Ask them, then tick the box."]
      : agreed.checked && !purpose.value.trim() ? [purpose, "Say what they agreed to."]
      : null;
    if (wrong) fault(this.view, ...wrong);
    return !wrong;
  }

  async #send() {
    if (!this.#complete()) return;
    notice(this.view);
    part(this.view, "fields").disabled = true;
    showBusy(this.answer, "Making the voiceprint…");
    try {
      this.#done(await this.#ask());
    } catch (error) {
      this.#failed(error);
    } finally {
      part(this.view, "fields").disabled = false;
      // What was switched off has lost the keyboard; after an answer it is there.
      if (document.activeElement === document.body) part(this.view, "submit").focus({ preventScroll: true });
    }
  }

  #ask() {
    const name = this.fields.name.value.trim();
    const mode = this.#mode;
    const options = {
      once: this.#once,
      onBusy: () => showBusy(this.answer, "The server is busy; trying again…"),
    };
    const said = mode === "new" ? { name } : { mode };
    const body = formOf("clips", this.panel.clips, { ...said, ...this.#terms(name) });
    return ask("POST", mode === "new" ? "/v1/speakers" : speakerPath(name, "/enrollments"), { ...options, body });
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

  #done({ speaker, clips, request_id: request }) {
    const aside = clips.filter((clip) => clip.status !== "used");
    const words = aside.map((clip, index) => `${this.#label(clips, clip) || `Clip ${index + 1}`}: ${clipWord(clip)}`);
    this.panel.clear();
    this.#forgetMode();
    this.fields.agreed.checked = false;
    this.#once = onceKey();
    showVerdict(this.answer, {
      decision: "enrolled",
      sentence: `The voiceprint of ${speaker.name} rests on ${count(speaker.clips, "clip")} and ${seconds(speaker.seconds_of_speech)} of speech.`,
      meaning: [
        aside.length ? `${count(aside.length, "clip was", "clips were")} set aside:` : "All clips sound like one voice. The recordings were not kept.",
      ],
      words,
      actions: [["Verify them now", () => this.onVerify(speaker.name)]],
      facts: { Clips: String(speaker.clips), Speech: exact(speaker.seconds_of_speech), Model: speaker.model.slice(0, 12), Request: request },
    });
    this.onChange();
  }

  #label(clips, clip) {
    return this.panel.clips[clips.indexOf(clip)]?.label ?? clip.source;
  }

  #failed(error) {
    this.answer.replaceChildren(copyOf("steps-template"));
    this.answer.removeAttribute("aria-busy");
    if (error.code === "speaker-exists") this.#askMode("new");
    const clips = error.problem?.clips;
    if (clips?.length === this.panel.clips.length) {
      this.panel.mark(clips.map(clipWord)); // also clears the notice, so it comes before
      say("The clips are marked");
    }
    const retry = [0, 408, 429, 500, 503].includes(error.status) ? [button("Try again", () => this.#send(), "small")] : [];
    notice(this.view, error.message, { actions: retry });
  }
}
