// The page: which view is open, who may do what, and what ties the views together.

import { ask, findPeople, key } from "./api.js";
import { notice, part, tellTrouble } from "./dom.js";
import { Enroll } from "./enroll.js";
import { Meeting } from "./meeting.js";
import { Now } from "./now.js";
import { People } from "./people.js";
import { prepareRecording } from "./recorder.js";
import { Identify, Verify } from "./tasks.js";

const view = (name) => document.getElementById(`view-${name}`);
const KINDS = { verify: Verify, identify: Identify, now: Now, meeting: Meeting, enroll: Enroll, people: People };
const there = Object.entries(KINDS).filter(([name]) => view(name)); // a page without a server has no meetings
const views = Object.fromEntries(there.map(([name, Kind]) => [name, new Kind(view(name))]));
const WHAT = { verify: "verify or identify anybody", enroll: "enroll anybody or see who is enrolled" };

let access = null; // what the server said that this page may do
let open = "";
let before = "verify"; // the view to go back to from the key

async function start() {
  wire();
  addEventListener("hashchange", () => show());
  prepareRecording().catch(() => {}); // tried again when it is needed
  await learnAccess();
  show({ focus: false });
}

function wire() {
  const { verify, identify, meeting, enroll, people } = views;
  verify.onVerify = identify.onVerify = enroll.onVerify = people.onVerify = (name) => (verify.claim(name), go("verify"));
  verify.onEnroll = identify.onEnroll = (name) => (enroll.begin(name), go("enroll"));
  verify.onPeople = (name) => (people.lookFor(name), go("people"));
  people.onAdd = (speaker) => (enroll.begin(speaker.name, { add: speaker }), go("enroll"));
  enroll.onChange = people.onChange = () => {
    for (const task of [verify, identify]) task.peopleChanged();
    return countPeople();
  };
  addEventListener("people-changed", () => (enroll.onChange(), people.enter())); // by what is no view
  if (meeting) meeting.onName = (clips, onEnrolled) => (enroll.begin("", { clips, onEnrolled }), go("enroll"));
  part(view("people"), "first").addEventListener("click", () => (enroll.begin(""), go("enroll")));
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
  const old = key.get();
  key.set(secret.value.trim());
  if (secret.value.trim() && (await learnAccess())) {
    secret.value = "";
    notice(view("key"));
    go(before);
    return;
  }
  key.set(old);
  if (!secret.value.trim()) notice(view("key"), "Enter the key first.", { tone: "warn" });
  secret.focus();
}

/** Ask what this page may do; returns whether the server let it know. */
async function learnAccess() {
  try {
    access = await ask("GET", "/v1/access");
  } catch (error) {
    if (error.status === 401) {
      key.forget();
      notice(view("key"), `${error.title}. ${error.message}`);
      await learnAccess();
      return false;
    }
    access ??= { key_needed: false, scopes: [] };
    for (const name of [...Object.keys(views), "key"]) tellTrouble(view(name), error, tryAgain);
    return false;
  }
  await applyAccess();
  return true;
}

async function tryAgain() {
  if (!(await learnAccess())) return;
  notice(view("key"));
  show();
}

async function applyAccess() {
  const may = (scope) => access.scopes.includes(scope);
  const why = (scope) => `With this key you cannot ${WHAT[scope]}. Enter one that allows it, under Key.`;
  const limits = { maxSeconds: access.max_seconds, maxBytes: access.max_body, maxRecordingBytes: access.max_recording_body };
  for (const task of Object.values(views)) task.allow({ may, why, limits, maxClips: access.max_clips, challenged: access.challenge_needed === true });
  document.getElementById("key-link").hidden = !access.key_needed;
  await countPeople();
}

/** Learn whether anybody is enrolled, so that an empty server says how to begin. */
async function countPeople() {
  if (!access.scopes.includes("enroll")) return;
  const found = await findPeople({ limit: 1 }).catch(() => null); // whoever asks next is told
  if (found) views.verify.total = views.identify.total = found.total;
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
  if (views[wanted]) before = wanted;
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
    ? `A key is in use: ${access.key}.`
    : "This server answers people who hold a key.";
}

start();
