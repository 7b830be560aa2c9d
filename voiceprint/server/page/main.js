// The page: which view is open, who may do what, and what ties the views together.

import { ask, key } from "./api.js";
import { notice, part } from "./dom.js";
import { Enroll } from "./enroll.js";
import { People } from "./people.js";
import { Identify, Verify } from "./tasks.js";

const view = (name) => document.getElementById(`view-${name}`);
const views = {
  verify: new Verify(view("verify")),
  identify: new Identify(view("identify")),
  enroll: new Enroll(view("enroll")),
  people: new People(view("people")),
};
const WHAT = { verify: "verify or identify", enroll: "enroll or see people", admin: "remove people" };

let access = null; // what the server said that this page may do
let open = "";

async function start() {
  wire();
  addEventListener("hashchange", () => show());
  await learnAccess();
  show({ focus: false });
}

function wire() {
  const verifyThem = (name) => (views.verify.claim(name), go("verify"));
  views.verify.onEnroll = (name) => (views.enroll.begin(name), go("enroll"));
  views.enroll.onVerify = verifyThem;
  views.people.onVerify = verifyThem;
  views.people.onAdd = (name) => (views.enroll.begin(name, { add: true }), go("enroll"));
  views.enroll.onChange = views.people.onChange = loadNames;
  const keyView = view("key");
  keyView.querySelector("form").addEventListener("submit", useKey);
  part(keyView, "forget").addEventListener("click", async () => {
    key.forget();
    await learnAccess();
    showKey();
    notice(keyView, "The key is forgotten.", { tone: "good" });
  });
}

async function useKey(event) {
  event.preventDefault();
  const { secret } = event.target.elements;
  const before = key.get();
  key.set(secret.value.trim());
  if (secret.value.trim() && (await learnAccess())) {
    secret.value = "";
    go(access.scopes.includes("verify") ? "verify" : "enroll");
    return;
  }
  key.set(before);
  secret.focus();
}

/** Ask what this page may do; returns whether the server let it know. */
async function learnAccess() {
  try {
    access = await ask("GET", "/v1/access");
  } catch (error) {
    if (error.status === 401) {
      key.forget();
      notice(view("key"), error.message);
      await learnAccess();
      return false;
    }
    access ??= { key_needed: false, scopes: [], max_seconds: 120, max_clips: 20 };
    for (const name of Object.keys(views)) tellLost(view(name), error);
    return false;
  }
  await applyAccess();
  return true;
}

function tellLost(place, error) {
  const again = document.createElement("button");
  again.type = "button";
  again.className = "button small";
  again.textContent = "Try again";
  again.addEventListener("click", async () => (await learnAccess()) && views[open]?.enter?.());
  notice(place, error.message, { actions: [again] });
}

async function applyAccess() {
  const may = (scope) => access.scopes.includes(scope);
  const why = (scope) => `This key may not ${WHAT[scope]}: it lacks the scope “${scope}”. Enter one that has it, under Key.`;
  const terms = { may, why, maxSeconds: access.max_seconds, maxClips: access.max_clips };
  for (const task of Object.values(views)) task.allow(terms);
  document.getElementById("key-link").hidden = !access.key_needed;
  if (may("verify")) await loadModel();
  if (may("enroll")) await loadNames();
}

async function loadModel() {
  const model = await ask("GET", "/v1/model").catch(() => null);
  if (!model) return;
  views.verify.rule = model.decision;
  part(document, "model").textContent = `Model ${model.name} ${model.version}`;
}

async function loadNames() {
  const found = await ask("GET", "/v1/speakers", { query: { limit: 200 } }).catch(() => null);
  const names = (found?.speakers ?? []).map(({ name }) => Object.assign(document.createElement("option"), { value: name }));
  document.getElementById("names").replaceChildren(...names);
}

/** Go to a view, also where the address names it already but another had to come first. */
function go(name) {
  if (location.hash === `#${name}`) show();
  else location.hash = name;
}

/** Open the view that the address names; who needs a key and has none enters it first. */
function show({ focus = true } = {}) {
  const wanted = location.hash.slice(1);
  if (wanted === "main") return;
  const locked = access.key_needed && !access.key;
  const name = locked ? "key" : wanted === "key" || views[wanted] ? wanted : "verify";
  if (views[open] && open !== name) views[open].leave?.();
  open = name;
  for (const section of document.querySelectorAll(".view")) section.hidden = section.id !== `view-${name}`;
  for (const link of document.querySelectorAll("nav a, .key-link")) {
    if (link.hash === `#${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (name === "key") showKey();
  const title = document.getElementById(`title-${name}`);
  document.title = `${title.textContent} · voiceprint`;
  if (focus) title.focus({ preventScroll: true }), scrollTo(0, 0);
  views[name]?.enter?.();
}

function showKey() {
  part(view("key"), "forget").hidden = !access.key;
  part(view("key"), "about").textContent = access.key
    ? `The key ${access.key} is in use. It may do: ${access.scopes.join(", ")}.`
    : "This server answers those who hold a key.";
}

start();
