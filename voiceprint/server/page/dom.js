// Small helpers on the document.

/** Return the element that a piece of the page calls by this name. */
export const part = (root, name) => root.querySelector(`[data-part="${name}"]`);

/** Return a copy of a template's element. */
export const copyOf = (id) => document.getElementById(id).content.firstElementChild.cloneNode(true);

/** Make an element with text or children. */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

export function button(text, onClick, kind = "") {
  const made = element("button", { type: "button", class: `button ${kind}`.trim() }, text);
  made.addEventListener("click", onClick);
  return made;
}

/** Tell a screen reader what the eye sees happen. */
export function say(text) {
  document.getElementById("said").textContent = text;
}

/** Show a sentence in a view's notice, with buttons for what to do about it; without a sentence, hide it. */
export function notice(view, text = "", { tone = "bad", actions = [] } = {}) {
  const place = part(view, "notice");
  place.hidden = !text;
  place.dataset.tone = tone;
  place.replaceChildren();
  if (!text) return;
  place.append(element("p", {}, text), ...actions);
  place.scrollIntoView({ block: "nearest" });
}

/** Mark a field as wrong, say why and go there; the mark goes with the next key. */
export function fault(view, input, text) {
  notice(view, text, { tone: "warn" });
  input.setAttribute("aria-invalid", "true");
  input.addEventListener("input", () => (input.removeAttribute("aria-invalid"), notice(view)), { once: true });
  input.focus();
}

/** Show hints as a list of words. */
export function hints(list, words) {
  list.replaceChildren(...words.map((word) => element("li", {}, word)));
}

/** The end of a day in this place, as the server wants times; empty for an empty date. */
export const endOfDay = (date) => (date ? new Date(`${date}T23:59:59`).toISOString() : "");
