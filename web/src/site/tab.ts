/** What only the site has: the promise that nothing leaves the tab, voiceprints in files, and forgetting everybody. */

import { button, element, notice, part, say, tellTrouble } from "../../../voiceprint/server/page/dom.js";
import { Trouble } from "../../../voiceprint/server/page/api.js";
import { count, listed } from "../../../voiceprint/server/page/words.js";
import { loadEngine, problemOf } from "./home.ts";

const NOTHING_LEAVES = "Nothing you record leaves this tab.";
const READY = `${NOTHING_LEAVES} It works without a network, too.`;

removeWhatTakesAServer();
const promise = element("p", { class: "promise", role: "status", id: "promise" }, NOTHING_LEAVES);
document.querySelector("header.top")?.after(promise);
addFiles(view("people"));
navigator.serviceWorker?.addEventListener("message", ({ data }) => tellProgress(data));
load();

function view(name: string): HTMLElement {
  const found = document.getElementById(`view-${name}`);
  if (!found) throw new Error(`the page has no view ${name}`);
  return found;
}

function removeWhatTakesAServer(): void {
  view("meeting").remove();
  document.querySelector("nav a[href='#meeting']")?.remove();
}

/** Load the engine at once: whoever cuts the network afterwards can go on. */
async function load(): Promise<void> {
  try {
    await loadEngine();
    document.documentElement.dataset.engine = "ready";
    promise.textContent = READY;
  } catch (error) {
    document.documentElement.dataset.engine = "failed";
    notice(document.querySelector(".view:not([hidden])") ?? view("verify"), troubleOf(error).message, { actions: [button("Try again", () => location.reload(), "small")] });
  }
}

function tellProgress({ done, total }: { done: number; total: number }): void {
  if (document.documentElement.dataset.engine) return;
  const share = Math.min(100, Math.round((100 * done) / total));
  promise.textContent = `Loading the engine, ${share} % of ${(total / 1e6).toFixed(0)} MB. ${NOTHING_LEAVES}`;
}

function troubleOf(error: unknown): Trouble {
  const problem = problemOf(error);
  return new Trouble({ status: problem.status, code: problem.type.replace("urn:voiceprint:", ""), problem });
}

/** Voiceprints in files: to keep them, to take them to a server or another device, and to forget all. */
function addFiles(people: HTMLElement): void {
  const file = element("input", { type: "file", accept: ".json,application/json", id: "voiceprints-file" }) as HTMLInputElement;
  const choose = element("label", { class: "file" }, file, element("span", {}, "Take in a file"));
  const dialog = forgetDialog();
  const place = element(
    "section",
    { class: "opted kept", "aria-labelledby": "title-kept" },
    element("h2", { id: "title-kept" }, "Kept in this browser"),
    element("p", { class: "hint" }, "A file of voiceprints holds no sound. A server or another device can take it in, and this page can take theirs."),
    element("div", { class: "notice", "data-part": "notice", role: "alert", hidden: "" }),
    element("div", { class: "row" }, button("Save to a file", () => save(place), "small"), choose, button("Forget everybody", () => dialog.showModal(), "small danger-text")),
  );
  file.addEventListener("change", () => takeIn(place, file));
  dialog.addEventListener("close", () => dialog.returnValue === "forget" && forget(place));
  people.append(place, dialog);
}

function forgetDialog(): HTMLDialogElement {
  const keep = element("button", { class: "button", value: "cancel", autofocus: "" }, "Keep");
  const forgetThem = element("button", { class: "button danger", value: "forget" }, "Forget everybody");
  return element(
    "dialog",
    { "aria-labelledby": "title-forget" },
    element(
      "form",
      { method: "dialog" },
      element("h2", { id: "title-forget" }, "Forget everybody?"),
      element("p", {}, "Every voiceprint in this browser is erased for good, and who opted out."),
      element("div", { class: "row end" }, keep, forgetThem),
    ),
  ) as HTMLDialogElement;
}

async function save(place: HTMLElement): Promise<void> {
  await within(place, async () => {
    const engine = await loadEngine();
    if (!(await engine.speakers()).length && !(await engine.optOuts()).length) return void notice(place, "Nobody is enrolled yet.", { tone: "warn" });
    const url = URL.createObjectURL(new Blob([await engine.exportPeople()], { type: "application/json" }));
    const link = element("a", { href: url, download: "voiceprints.json" }) as HTMLAnchorElement;
    link.click();
    URL.revokeObjectURL(url);
    notice(place, "Saved. Whoever has the file has the voiceprints: keep it where others do not get it.", { tone: "good" });
  });
}

async function takeIn(place: HTMLElement, input: HTMLInputElement): Promise<void> {
  const [file] = input.files ?? [];
  input.value = ""; // so that the same file may be chosen again
  if (!file) return;
  await within(place, async () => {
    const { added, changed, skipped, opted_out: optedOut, set_aside: aside } = await (await loadEngine()).importPeople(await file.text(), { mode: "add" });
    const said = [`${added.length} added`, `${changed.length} changed`, `${skipped.length} as they were`, ...(optedOut.length ? [`${optedOut.length} opted out`] : [])];
    const unlike = aside.length ? ` Left out, as another voice: ${count(aside.length, "recording")} of ${listed([...new Set(aside.map(({ name }) => name))])}.` : "";
    notice(place, `${said.join(", ")}.${unlike}`, { tone: unlike ? "warn" : "good" });
    showAnew();
  });
}

async function forget(place: HTMLElement): Promise<void> {
  await within(place, async () => {
    await (await loadEngine()).forgetEverything();
    notice(place, "Everybody is forgotten.", { tone: "good" });
    say("Everybody is forgotten");
    showAnew();
  });
}

/** Do something, and say beside it what goes wrong. */
async function within(place: HTMLElement, work: () => Promise<void>): Promise<void> {
  try {
    notice(place);
    await work();
  } catch (error) {
    tellTrouble(place, troubleOf(error), () => part(place, "notice")?.setAttribute("hidden", ""));
  }
}

/** Let the page learn anew who is enrolled. */
function showAnew(): void {
  dispatchEvent(new Event("people-changed"));
}
