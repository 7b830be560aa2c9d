// People: who is enrolled, what they agreed to, and removing them.

import { ask, findPeople, onceKey, speakerPath } from "./api.js";
import { button, copyOf, element, endOfDay, goTo, notice, part, say, tellTrouble } from "./dom.js";
import { count, day, seconds } from "./words.js";

const PAGE = 50;
const TYPING = 150; // ms without a key: then the search begins

export class People {
  #next = 0;
  #total = 0;
  #asking = new AbortController();
  #typing = 0;

  constructor(view) {
    this.view = view;
    this.list = part(view, "list");
    this.search = part(view, "search");
    this.may = () => false;
    this.search.addEventListener("input", () => {
      clearTimeout(this.#typing);
      this.#asking.abort();
      this.#typing = setTimeout(() => this.#load(0), TYPING);
    });
    part(view, "find").addEventListener("submit", (event) => event.preventDefault());
    part(view, "more").addEventListener("click", () => this.#load(this.#next));
  }

  allow({ may, why }) {
    this.may = may;
    this.refused = may("enroll") ? "" : why("enroll");
    this.list.replaceChildren();
    for (const name of ["find", "more", "opted"]) part(this.view, name).hidden = true;
    notice(this.view, this.refused, { tone: "warn" });
  }

  /** Called when the view is opened. */
  async enter() {
    if (!this.refused) await this.#load(0);
  }

  /** Look for somebody when the view is opened next. */
  lookFor(name) {
    this.search.value = name;
  }

  async #load(after) {
    this.#asking.abort();
    this.#asking = new AbortController();
    const { signal } = this.#asking;
    const search = this.search.value.trim();
    try {
      const found = await findPeople({ search, after, limit: PAGE, signal });
      this.#show(found, { after, search });
      if (this.may("admin") && !after) await this.#loadOptedOut(signal);
    } catch (error) {
      if (signal.aborted) return;
      if (!after) this.list.replaceChildren();
      tellTrouble(part(this.view, "foot"), error, () => this.#load(after));
    }
  }

  #show({ speakers, next, total }, { after, search }) {
    notice(part(this.view, "foot"));
    const items = speakers.map((speaker) => this.#item(speaker));
    if (after) this.list.append(...items);
    else this.list.replaceChildren(...items);
    this.#next = next;
    this.#total = total;
    part(this.view, "find").hidden = !total && !search;
    part(this.view, "more").hidden = !next;
    this.#showTotal(search);
    if (after && items.length) goTo(items[0].querySelector("summary"));
  }

  #showTotal(search) {
    const total = this.#total;
    const shown = this.list.children.length;
    const some = shown < total ? ` The first ${shown} are shown.` : "";
    part(this.view, "total").textContent = !search
      ? total ? `${count(total, "person has", "people have")} a voiceprint here.${some}` : "Nobody is enrolled yet."
      : total ? `${count(total, "name contains", "names contain")} “${search}”.${some}` : `No name contains “${search}”.`;
    part(this.view, "first").hidden = Boolean(total || search);
  }

  #item(speaker) {
    const item = copyOf("person-template");
    const { name } = speaker;
    part(item, "name").textContent = name;
    part(item, "initials").textContent = initials(name);
    part(item, "facts").textContent =
      `${count(speaker.clips, "recording")}, ${seconds(speaker.seconds_of_speech)} of speech, since ${day(speaker.created)}`;
    this.#showTerms(item, speaker);
    const actions = {
      verify: [`Verify ${name}`, () => this.onVerify(name)],
      add: [`Add recordings of ${name}`, () => this.onAdd(speaker)],
      consent: [`Consent of ${name}`, () => this.#consent(item, speaker)],
      remove: [`Remove ${name}`, () => this.#remove(item, name)],
    };
    for (const [action, [label, onClick]] of Object.entries(actions)) {
      const made = part(item, action);
      made.setAttribute("aria-label", label);
      made.addEventListener("click", onClick);
    }
    part(item, "remove").hidden = !this.may("admin");
    part(item, "verify").hidden = !this.may("verify");
    return item;
  }

  #showTerms(item, { name, consent, expires, expired }) {
    const agreed = consent
      ? `Agreed on ${day(consent.given)}${consent.by === name ? "" : ` by ${consent.by}`}: ${consent.purpose}`
      : "No consent noted";
    const until = expires ? `, ${expired ? "ended" : "until"} ${day(expires)}` : "";
    part(item, "terms").textContent = agreed + until;
    const state = part(item, "state");
    state.textContent = expired ? "Consent ended" : consent ? "" : "No consent";
    state.hidden = !state.textContent;
  }

  async #consent(item, speaker) {
    const dialog = document.getElementById("consent-dialog");
    const form = dialog.querySelector("form");
    const { by, purpose, until } = form.elements;
    dialog.querySelector("h2").textContent = `Consent of ${speaker.name}`;
    by.value = speaker.consent?.by ?? speaker.name;
    purpose.value = speaker.consent?.purpose ?? "verification";
    until.value = speaker.expires && !speaker.expired ? speaker.expires.slice(0, 10) : "";
    if ((await asked(dialog)) !== "save") return;
    await this.#change(item, async (once) => {
      const changed = await ask("PUT", speakerPath(speaker.name, "/consent"), {
        body: JSON.stringify({
          consent_by: by.value.trim(),
          consent_purpose: purpose.value.trim(),
          expires: endOfDay(until.value) || null,
        }),
        once,
      });
      Object.assign(speaker, changed);
      this.#showTerms(item, speaker);
      notice(item, "The consent is noted.", { tone: "good" });
      this.onChange();
    });
  }

  async #remove(item, name) {
    const dialog = document.getElementById("remove-dialog");
    dialog.querySelector("h2").textContent = `Remove ${name}?`;
    const { optout } = dialog.querySelector("form").elements;
    optout.checked = false;
    if ((await asked(dialog)) !== "remove") return;
    await this.#change(item, async (once) => {
      if (optout.checked) await ask("PUT", `/v1/opt-outs/${encodeURIComponent(name)}`, { once });
      else await ask("DELETE", speakerPath(name), { once });
      const neighbour = item.nextElementSibling ?? item.previousElementSibling;
      item.remove();
      goTo(neighbour?.querySelector("summary") ?? document.getElementById("title-people")); // before anything is waited for
      this.onChange();
      say(`${name} was removed`);
      this.#total -= 1;
      this.#showTotal(this.search.value.trim());
      if (!neighbour) await this.#load(0);
      else if (optout.checked) await this.#loadOptedOut();
    });
  }

  /** Make a change and say beside the person if it failed; tried again, it is not done twice. */
  async #change(place, work, once = onceKey()) {
    try {
      notice(place);
      await work(once);
    } catch (error) {
      tellTrouble(place, error, () => this.#change(place, work, once));
      part(place, "notice").querySelector("button")?.focus();
    }
  }

  async #loadOptedOut(signal) {
    const { names } = await ask("GET", "/v1/opt-outs", { signal });
    part(this.view, "opted").hidden = !names.length;
    part(this.view, "opted-list").replaceChildren(
      ...names.map((name) =>
        element("li", {}, element("span", {}, name), button("Allow again", () => this.#allowAgain(name), "small")),
      ),
    );
  }

  #allowAgain(name) {
    return this.#change(part(this.view, "opted"), async (once) => {
      await ask("DELETE", `/v1/opt-outs/${encodeURIComponent(name)}`, { once });
      await this.#loadOptedOut();
      say(`${name} may be enrolled again`);
      document.getElementById("title-people").focus();
    });
  }
}

/** Show a dialog; returns the value of the button that closed it, empty for Escape. */
function asked(dialog) {
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true });
  });
}

function initials(name) {
  const words = name.split(/\s+/).filter(Boolean);
  return (words.length > 1 ? [words[0], words.at(-1)] : words).map((word) => Array.from(word)[0]).join("").toUpperCase();
}
