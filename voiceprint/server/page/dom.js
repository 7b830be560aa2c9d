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

/** Bring an element before the eye, and the keyboard to it. */
export function goTo(target, shown = target) {
  target.focus({ preventScroll: true });
  shown.scrollIntoView({ block: "nearest" });
}

/**
 * Show a sentence in the notice of a view or of a part of it, with buttons for what to do; without one, hide it.
 *
 * @param {Element} root
 * @param {string} text
 * @param {{tone?: string, actions?: Element[]}} options
 */
export function notice(root, text = "", { tone = "bad", actions = [] } = {}) {
  const place = part(root, "notice");
  place.hidden = !text;
  place.dataset.tone = tone;
  place.replaceChildren();
  if (!text) return;
  place.append(element("p", {}, text), ...actions);
  place.scrollIntoView({ block: "nearest" });
}

/** Return the button that helps against a trouble, if there is one. */
export function remedies(error, again) {
  if (error.button === "retry") return [button("Try again", again, "small")];
  if (error.button === "key") return [button("Enter a key", () => (location.hash = "key"), "small")];
  return [];
}

/** Say a trouble in the notice of a view or of a part of it. */
export function tellTrouble(root, error, again) {
  notice(root, `${error.title}. ${error.message}`, { actions: remedies(error, again) });
}

/**
 * Say beside each field what is wrong with it, and go to the first; what is said goes with the next change.
 *
 * @param {[HTMLElement, string][]} wrong fields and sentences
 * @returns {boolean} whether nothing is wrong
 */
export function faults(wrong) {
  for (const [field, text] of wrong) fault(field, text);
  if (!wrong.length) return true;
  const [field] = wrong[0];
  goTo(field, field.closest("[data-field]"));
  return false;
}

function fault(field, text) {
  const place = field.closest("[data-field]");
  const id = `fault-${field.id}`;
  document.getElementById(id)?.remove();
  const said = element("p", { class: "fault", id, role: "alert" }, text);
  place.append(said);
  field.setAttribute("aria-invalid", "true");
  field.setAttribute("aria-describedby", id);
  const right = () => {
    said.remove();
    field.removeAttribute("aria-invalid");
    field.removeAttribute("aria-describedby");
  };
  place.addEventListener("input", right, { once: true });
  if (field.type === "button") field.addEventListener("click", right, { once: true });
}

/** Take files that are dropped on a place, which shows that they may be. */
export function acceptDrops(place, take) {
  const over = (event) => {
    event.preventDefault();
    place.classList.toggle("over", event.type === "dragover");
  };
  place.addEventListener("dragover", over);
  place.addEventListener("dragleave", over);
  place.addEventListener("drop", (event) => {
    over(event);
    take([...event.dataTransfer.files]);
  });
}

/** Say in a panel's line how it stands. */
export function tellState(root, text, tone = "") {
  const state = part(root, "state");
  if (state.textContent !== text) state.textContent = text;
  state.dataset.tone = tone;
}

/** Open a view's fields to those who may use them, and say to the others why not. */
export function openFields(view, scope, { may, why }) {
  part(view, "fields").disabled = !may(scope);
  notice(view, may(scope) ? "" : why(scope), { tone: "warn" });
}

/** Show hints as a list of words. */
export function hints(list, words) {
  list.replaceChildren(...words.map((word) => element("li", {}, word)));
}

/** The end of a day in this place, as the server wants times; empty for an empty date. */
export const endOfDay = (date) => (date ? new Date(`${date}T23:59:59`).toISOString() : "");
