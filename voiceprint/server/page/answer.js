// The place of an answer. What stands there belongs to the question beside it, or the place is empty.

import { Trouble } from "./api.js";
import { copyOf, element, goTo, hints, part, remedies, button } from "./dom.js";
import { showGauge } from "./gauge.js";

export class AnswerPlace {
  #question = new AbortController();
  #place;
  #empty;

  /**
   * @param {HTMLElement} place
   * @param {() => Node} empty what stands there while nothing is asked
   */
  constructor(place, empty) {
    this.#place = place;
    this.#empty = empty;
    this.clear();
  }

  /** The question has changed: forget its answer, and drop one that is still on its way. */
  clear() {
    this.#question.abort();
    this.#show(this.#empty());
  }

  /** Draw the empty place anew, unless an answer stands there. */
  refresh() {
    if (this.#place.dataset.state === "empty") this.#show(this.#empty());
  }

  /**
   * Ask a question and show its answer, unless another one was asked or the place was cleared meanwhile.
   *
   * @param {string} waiting what is said until then
   * @param {(options: {signal: AbortSignal, onBusy: () => void}) => Promise<object>} work returns a verdict
   * @param {{told?: (error: Trouble) => boolean}} options told: returns true for a trouble that it says elsewhere
   */
  async ask(waiting, work, { told = () => false } = {}) {
    this.#question.abort();
    this.#question = new AbortController();
    const { signal } = this.#question;
    const busy = (text) => signal.aborted || this.#show(element("p", { class: "nothing busy", role: "status" }, text), "busy");
    busy(waiting);
    this.#place.scrollIntoView({ block: "nearest" });
    try {
      const verdict = await work({ signal, onBusy: () => busy("The server is busy; trying again…") });
      if (!signal.aborted) this.#tell(verdict);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Trouble)) throw error;
      if (told(error)) this.#show(this.#empty());
      else this.#tell(troubleVerdict(error, () => this.ask(waiting, work, { told })));
    }
  }

  /**
   * Show how it stands while somebody speaks; what is asked next takes its place.
   *
   * @param {string} title
   * @param {{score: number, threshold: number} | null} reading null: nothing is known yet
   */
  follow(title, reading) {
    if (this.#place.dataset.state !== "live") this.#show(copyOf("verdict-template"), "live");
    const card = this.#place.firstElementChild;
    card.dataset.tone = "neutral";
    part(card, "icon").setAttribute("href", "#i-listen");
    part(card, "title").textContent = title;
    part(card, "details").hidden = true;
    showGauge(card, reading);
  }

  /** The speaking is over, and no answer came of it. */
  unfollow() {
    if (this.#place.dataset.state === "live") this.#show(this.#empty());
  }

  #tell(verdict) {
    const card = cardOf(verdict);
    this.#show(card, "answered");
    goTo(part(card, "title"), card);
  }

  #show(node, state = "empty") {
    this.#place.dataset.state = state;
    this.#place.setAttribute("aria-busy", String(state === "busy"));
    this.#place.replaceChildren(node);
  }
}

/** A sentence for an empty place, with a button for what would help. */
export function nothing(text, ...actions) {
  return element("div", { class: "nothing" }, element("p", {}, text), ...actions);
}

function troubleVerdict(error, again) {
  const { request_id: number } = error.problem;
  return {
    tone: "warn",
    icon: "alert",
    title: error.title,
    sentence: "",
    meaning: [error.message],
    actions: remedies(error, again),
    facts: { Cause: error.code, Number: number },
  };
}

/** Draw a verdict: tone, icon, title, sentence, and whatever else it has. */
function cardOf({ tone, icon, title, sentence, meaning = [], words = [], actions = [], facts = {}, draw = () => {} }) {
  const card = copyOf("verdict-template");
  card.dataset.tone = tone;
  part(card, "icon").setAttribute("href", `#i-${icon}`);
  part(card, "title").textContent = title;
  part(card, "sentence").textContent = sentence;
  part(card, "meaning").replaceChildren(...meaning.map((text) => element("p", {}, text)));
  hints(part(card, "hints"), words);
  part(card, "actions").replaceChildren(...actions.map((action) => (Array.isArray(action) ? button(...action) : action)));
  const known = Object.entries(facts).filter(([, value]) => value);
  part(card, "details").hidden = !known.length;
  part(card, "facts").replaceChildren(
    ...known.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]),
  );
  draw(card);
  return card;
}
