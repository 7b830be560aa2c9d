// Verify and identify: one clip, one answer.

import { ask, formOf, speakerPath } from "./api.js";
import { fault, notice, part } from "./dom.js";
import { measure, Panel } from "./panel.js";
import { showBusy, showIdentification, showNothing, showVerification } from "./verdict.js";

const ENOUGH = 3; // s of speech, a good claim
const LISTENING = "Listening to the clip…";

/** A task that answers as soon as a clip is there. */
class OneClipTask {
  constructor(view, { stopText, nothing }) {
    this.view = view;
    this.form = view.querySelector("form");
    this.answer = part(view, "answer");
    this.nothing = nothing;
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.panel = new Panel(part(view, "panel"), {
      stopText,
      goal: ENOUGH,
      before: () => this.ready(),
      onClips: () => this.#come(),
    });
    showNothing(this.answer, nothing);
  }

  ready() {
    notice(this.view);
    return true;
  }

  /** Take what the server allows. */
  allow({ maxSeconds, may, why }) {
    this.panel.maxSeconds = maxSeconds;
    part(this.view, "fields").disabled = !may("verify");
    notice(this.view, may("verify") ? "" : why("verify"), { tone: "warn" });
  }

  leave() {
    return this.panel.cancel();
  }

  async #come() {
    const [clip] = this.panel.clips;
    if (!clip || clip === this.asked) return;
    this.asked = clip;
    await this.send(clip);
  }

  async send(clip) {
    notice(this.view);
    showBusy(this.answer, LISTENING);
    try {
      await this.decide(clip);
    } catch (error) {
      showNothing(this.answer, this.nothing);
      this.answer.removeAttribute("aria-busy");
      notice(this.view, error.message, { actions: this.again(clip, error) });
    }
  }

  busy = () => showBusy(this.answer, "The server is busy; trying again…");

  again(clip, error) {
    const retry = document.createElement("button");
    retry.type = "button";
    retry.className = "button small";
    retry.textContent = error.status === 401 || error.status === 403 ? "Enter a key" : "Try again";
    retry.addEventListener("click", () =>
      retry.textContent === "Try again" ? this.send(clip) : (location.hash = "key"),
    );
    return error.code === "clip-unusable" ? [] : [retry];
  }
}

/** "Is this who they say?" */
export class Verify extends OneClipTask {
  rule = "";

  constructor(view) {
    super(view, {
      stopText: "Stop and verify",
      nothing: "The answer will stand here: accepted or rejected, how clearly, and what that means.",
    });
    this.name = this.form.elements.name;
  }

  ready() {
    if (this.name.value.trim()) return super.ready();
    fault(this.view, this.name, "Say first whose voice it is claimed to be.");
    return false;
  }

  /** Begin with somebody's name. */
  claim(name) {
    this.name.value = name;
    this.panel.clear();
    showNothing(this.answer, this.nothing);
  }

  async decide(clip) {
    const far = this.form.elements.far.value;
    const path = speakerPath(this.name.value.trim(), "/verify");
    const answer = await ask("POST", path, { query: { far }, body: formOf("clip", [clip]), onBusy: this.busy });
    if (answer.score != null || answer.decision === "not_enough_speech")
      if (!answer.accepted) await measure(clip);
    const actions = answer.decision === "not_enrolled" ? [["Enroll them", () => this.onEnroll(answer.name)]] : [];
    showVerification(this.answer, answer, { far: Number(far), rule: this.rule, words: clip.words, actions });
  }
}

/** "Whose voice is this?" */
export class Identify extends OneClipTask {
  constructor(view) {
    super(view, {
      stopText: "Stop and identify",
      nothing: "The nearest voices will stand here, and whether one of them is near enough to be named.",
    });
  }

  async decide(clip) {
    const answer = await ask("POST", "/v1/identify", { body: formOf("clip", [clip]), onBusy: this.busy });
    if (answer.decision !== "identified") await measure(clip);
    showIdentification(this.answer, answer, { words: clip.words, actions: [] });
  }
}
