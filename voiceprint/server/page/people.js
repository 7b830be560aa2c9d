// People: who is enrolled, what they agreed to, and removing them.

import { ask, onceKey, speakerPath } from "./api.js";
import { button, copyOf, element, endOfDay, notice, part, say } from "./dom.js";
import { count, day, seconds } from "./words.js";

const PAGE = 50;

export class People {
  #next = "";

  constructor(view) {
    this.view = view;
    this.list = part(view, "list");
    part(view, "more").addEventListener("click", () => this.#load(this.#next));
    this.may = () => false;
  }

  allow({ may, why }) {
    this.may = may;
    this.list.hidden = !may("enroll");
    this.refused = may("enroll") ? "" : why("enroll");
    notice(this.view, this.refused, { tone: "warn" });
  }

  /** Called when the view is opened. */
  async enter() {
    if (!this.refused) await this.#load("");
  }

  async #load(after) {
    try {
      const { speakers, next, total } = await ask("GET", "/v1/speakers", { query: { limit: PAGE, after } });
      notice(this.view);
      const items = speakers.map((speaker) => this.#item(speaker));
      if (after) this.list.append(...items);
      else this.list.replaceChildren(...items);
      if (after) part(items[0], "name").focus();
      this.#next = next;
      part(this.view, "more").hidden = !next;
      this.#showTotal(total);
      if (this.may("admin") && !after) await this.#loadOptedOut();
    } catch (error) {
      this.#failed(error, () => this.#load(after));
    }
  }

  #showTotal(total) {
    part(this.view, "total").textContent = total
      ? `${count(total, "person has", "people have")} a voiceprint here.`
      : "Nobody is enrolled yet. Begin under Enroll.";
  }

  #failed(error, again) {
    const actions = error.status === 403 ? [] : [button("Try again", again, "small")];
    notice(this.view, error.message, { actions });
  }

  #item(speaker) {
    const item = copyOf("person-template");
    const { name } = speaker;
    part(item, "name").textContent = name;
    part(item, "initials").textContent = initials(name);
    part(item, "facts").textContent =
      `${count(speaker.clips, "clip")}, ${seconds(speaker.seconds_of_speech)} of speech, since ${day(speaker.created)}`;
    this.#showTerms(item, speaker);
    const actions = {
      verify: () => this.onVerify(name),
      add: () => this.onAdd(name),
      consent: () => this.#consent(item, speaker),
      remove: () => this.#remove(item, name),
    };
    for (const [action, onClick] of Object.entries(actions)) {
      const made = part(item, action);
      made.setAttribute("aria-label", `${made.textContent} ${action === "consent" ? "of" : ""} ${name}`.replace("  ", " "));
      made.addEventListener("click", onClick);
    }
    part(item, "remove").hidden = !this.may("admin");
    part(item, "verify").hidden = !this.may("verify");
    return item;
  }

  #showTerms(item, { name, consent, expires, expired }) {
    const terms = part(item, "terms");
    terms.className = expired || !consent ? "terms warn" : "terms";
    const agreed = consent
      ? `Agreed on ${day(consent.given)}${consent.by === name ? "" : ` by ${consent.by}`}: ${consent.purpose}`
      : "No consent noted";
    const until = expires ? `, ${expired ? "ended" : "until"} ${day(expires)}` : "";
    terms.textContent = agreed + until;
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
    await this.#change(async () => {
      const changed = await ask("PUT", speakerPath(speaker.name, "/consent"), {
        body: JSON.stringify({
          consent_by: by.value.trim(),
          consent_purpose: purpose.value.trim(),
          expires: endOfDay(until.value) || null,
        }),
        once: onceKey(),
      });
      Object.assign(speaker, changed);
      this.#showTerms(item, speaker);
      say(`The consent of ${speaker.name} is noted`);
    });
  }

  async #remove(item, name) {
    const dialog = document.getElementById("remove-dialog");
    dialog.querySelector("h2").textContent = `Remove ${name}?`;
    const { optout } = dialog.querySelector("form").elements;
    optout.checked = false;
    if ((await asked(dialog)) !== "remove") return;
    await this.#change(async () => {
      if (optout.checked) await ask("PUT", `/v1/opt-outs/${encodeURIComponent(name)}`, { once: onceKey() });
      else await ask("DELETE", speakerPath(name), { once: onceKey() });
      item.remove();
      await this.#load("");
      say(`${name} was removed`);
      document.getElementById("title-people").focus();
      this.onChange();
    });
  }

  async #change(work) {
    try {
      notice(this.view);
      await work();
    } catch (error) {
      this.#failed(error, () => this.#load(""));
    }
  }

  async #loadOptedOut() {
    const { names } = await ask("GET", "/v1/opt-outs");
    part(this.view, "opted").hidden = !names.length;
    part(this.view, "opted-list").replaceChildren(
      ...names.map((name) =>
        element("li", {}, element("span", {}, name), button("Allow again", () => this.#allowAgain(name), "small")),
      ),
    );
  }

  #allowAgain(name) {
    return this.#change(async () => {
      await ask("DELETE", `/v1/opt-outs/${encodeURIComponent(name)}`, { once: onceKey() });
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
