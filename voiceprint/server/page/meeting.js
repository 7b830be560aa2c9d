// "Who speaks when?": a recording of several people, a lane for each, turns to hear, names to give.

import { ask, formOf, Trouble } from "./api.js";
import { acceptDrops, button, copyOf, element, goTo, notice, openFields, part, say, tellState, tellTrouble } from "./dom.js";
import { RecordingTrouble, sendable } from "./recorder.js";
import { alone, clipsOf, cut, decoded } from "./turns.js";
import { clock, count, seconds } from "./words.js";

const AGAIN = 500; // ms between two questions how far it is
const SENDING = 900_000; // ms that a long recording may take on its way
const COLOURS = 6;
const STAGES = { reading: "Reading it", "finding speech": "Finding speech", listening: "Listening", naming: "Naming" };

export class Meeting {
  #file = null;
  #found = null;
  #asking = new AbortController();
  #sound = new Audio();
  #stop = 0; // s; where the turn ends that is being played
  #playing = null; // the button of that turn

  constructor(view) {
    this.view = view;
    this.may = () => false;
    const file = part(view, "file");
    file.addEventListener("change", () => {
      const [chosen] = file.files;
      file.value = ""; // so that the same file may be chosen again
      if (chosen) this.#take(chosen);
    });
    part(view, "cancel").addEventListener("click", () => this.#cancel("Stopped. Nothing of the recording was kept."));
    part(view, "play").addEventListener("click", () => this.#toggle());
    this.#sound.addEventListener("timeupdate", () => this.#follow());
    for (const change of ["play", "pause", "ended"]) this.#sound.addEventListener(change, () => this.#showPlaying());
    acceptDrops(part(view, "drop"), ([dropped]) => dropped && !part(view, "fields").disabled && this.#take(dropped));
  }

  allow({ limits, may, why }) {
    this.limits = limits;
    this.may = may;
    openFields(this.view, "verify", { may, why });
  }

  leave() {
    this.#sound.pause();
  }

  #tell(text, tone = "") {
    tellState(this.view, text, tone);
  }

  async #take(file) {
    this.#cancel("");
    try {
      sendable(file, { maxBytes: this.limits.maxRecordingBytes });
    } catch (error) {
      if (!(error instanceof RecordingTrouble)) throw error;
      this.#tell(error.message, "warn");
      return;
    }
    this.#file = file;
    this.#sound.pause();
    URL.revokeObjectURL(this.#sound.src);
    this.#sound.src = URL.createObjectURL(file);
    await this.#find(file);
  }

  async #find(file) {
    const { signal } = (this.#asking = new AbortController());
    notice(this.view);
    this.#progress("Sending the recording…", null);
    try {
      const found = await this.#result(file, signal);
      this.#done("");
      this.#found = found;
      this.#show();
      goTo(part(this.view, "title"), part(this.view, "result"));
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Trouble)) throw error;
      this.#done("");
      tellTrouble(this.view, error, () => this.#find(file));
    }
  }

  /** Send a recording, wait until it was listened to, and let the server forget it. */
  async #result(file, signal) {
    const clip = { blob: file, fileName: file.name };
    let answer = await ask("POST", "/v1/diarize", { body: formOf("clip", [clip]), signal, patience: SENDING });
    const path = `/v1/diarize/${answer.id}`;
    signal.addEventListener("abort", () => answer && forget(path));
    while (["waiting", "running"].includes(answer.state)) {
      const { progress } = answer;
      const share = progress?.total ? progress.done / progress.total : null;
      this.#progress(answer.state === "waiting" ? "Other recordings come first…" : `${STAGES[progress?.stage] ?? "Listening"}…`, share);
      await new Promise((resolve) => setTimeout(resolve, AGAIN));
      signal.throwIfAborted();
      answer = await ask("GET", path, { signal });
    }
    const { result, problem, expires } = answer;
    answer = null;
    if (expires) forget(path);
    if (problem) throw new Trouble({ status: problem.status, code: problem.type.replace("urn:voiceprint:", ""), problem });
    return result;
  }

  #cancel(word) {
    this.#asking.abort();
    this.#found = null;
    part(this.view, "result").hidden = true;
    this.#done(word);
  }

  #progress(text, share) {
    this.#tell(text);
    const bar = part(this.view, "progress");
    bar.hidden = part(this.view, "cancel").hidden = false;
    if (share === null) bar.removeAttribute("value");
    else bar.value = share;
  }

  #done(word) {
    this.#tell(word);
    part(this.view, "progress").hidden = part(this.view, "cancel").hidden = true;
  }

  // What was found

  #show() {
    const { speakers, turns, seconds: length } = this.#found;
    part(this.view, "result").hidden = false;
    part(this.view, "title").textContent = speakers.length
      ? `${count(speakers.length, "person speaks", "people speak")} in ${this.#file.name}`
      : "Nobody speaks in this recording";
    part(this.view, "facts").textContent = speakers.length ? `${count(turns.length, "turn")} in ${clock(length)}` : "";
    part(this.view, "player").hidden = !speakers.length;
    part(this.view, "lanes").replaceChildren(...speakers.map((person, place) => this.#lane(person, place)));
    this.#follow();
    say(part(this.view, "title").textContent);
  }

  #lane({ name, identified, seconds_of_speech: speech }, place) {
    const lane = copyOf("lane-template");
    lane.dataset.colour = place % COLOURS;
    part(lane, "name").textContent = name;
    part(lane, "facts").textContent = seconds(speech);
    part(lane, "badge").hidden = !identified;
    const give = part(lane, "give");
    give.hidden = identified || !this.may("enroll");
    give.setAttribute("aria-label", `Enroll ${name}`);
    give.addEventListener("click", () => this.#give(name, lane));
    const turns = this.#found.turns.filter((turn) => turn.speaker === name).map((turn) => this.#turn(turn));
    turns.forEach((turn, at) => (turn.tabIndex = at ? -1 : 0)); // one stop for the keyboard; arrows go on from there
    const track = part(lane, "track");
    track.setAttribute("aria-label", `Turns of ${name}`);
    track.replaceChildren(...turns);
    track.addEventListener("keydown", (event) => along(event, turns));
    return lane;
  }

  #turn({ start, stop, speaker }) {
    const label = `${speaker}, ${clock(start)} to ${clock(stop)}`;
    const made = element("button", { type: "button", class: "turn", "aria-label": label, title: label });
    made.style.setProperty("--from", start / this.#found.seconds);
    made.style.setProperty("--share", (stop - start) / this.#found.seconds);
    made.addEventListener("click", () => this.#play(made, start, stop));
    return made;
  }

  // Hearing it

  async #play(turn, start, stop) {
    const again = this.#playing === turn && !this.#sound.paused;
    this.#sound.pause();
    if (again) return;
    this.#playing = turn;
    this.#stop = stop;
    this.#sound.currentTime = start;
    await this.#begin();
  }

  async #toggle() {
    this.#playing = null;
    this.#stop = Infinity;
    if (this.#sound.paused) await this.#begin();
    else this.#sound.pause();
  }

  async #begin() {
    try {
      await this.#sound.play();
    } catch (error) {
      if (error.name !== "AbortError") this.#tell("This browser cannot play the recording; what was found in it stands here all the same.", "warn");
    }
  }

  #follow() {
    const place = this.#sound.currentTime;
    if (place >= this.#stop) this.#sound.pause();
    part(this.view, "clock").textContent = clock(place);
    part(this.view, "lanes").style.setProperty("--place", this.#found ? Math.min(1, place / this.#found.seconds) : 0);
  }

  #showPlaying() {
    const playing = !this.#sound.paused;
    const play = part(this.view, "play");
    play.querySelector("use").setAttribute("href", playing ? "#i-pause" : "#i-play");
    play.setAttribute("aria-label", playing ? "Pause" : "Play");
    for (const turn of part(this.view, "lanes").querySelectorAll(".turn")) {
      turn.toggleAttribute("data-playing", playing && turn === this.#playing);
    }
  }

  // Naming

  /** Take what a speaker says alone to the form for enrolling. */
  async #give(name, lane) {
    this.#sound.pause();
    const found = this.#found;
    const parts = clipsOf(alone(found.turns, name));
    if (!parts.length) return tellIn(lane, `${name} never speaks alone, so no voiceprint can be made of it.`);
    tellIn(lane, "Cutting out what they say…");
    try {
      const samples = await decoded(this.#file);
      if (this.#found !== found) return; // another recording was chosen
      const clips = parts.map((stretches, at) => ({
        blob: cut(samples, stretches),
        fileName: `${name.replaceAll(" ", "-")}-${at + 1}.wav`,
        label: `${name}, ${clock(stretches[0][0])} and on`,
      }));
      tellIn(lane, "");
      this.onName(clips, (enrolled) => this.#call(found, name, enrolled));
    } catch (error) {
      if (!(error instanceof DOMException || error instanceof RangeError)) throw error;
      tellIn(lane, "This browser cannot take the recording apart. Use a wav, mp3 or shorter one.");
    }
  }

  /** A speaker was enrolled: call them so, unless another recording was chosen meanwhile. */
  #call(found, speaker, name) {
    if (this.#found !== found) return;
    for (const turn of found.turns) if (turn.speaker === speaker) turn.speaker = name;
    for (const person of found.speakers) if (person.name === speaker) Object.assign(person, { name, identified: true });
    this.#show();
  }
}

/** Let the server forget a recording; if it cannot be told now, it does so by itself. */
const forget = (path) => ask("DELETE", path).catch(() => {});

function tellIn(lane, text) {
  const word = part(lane, "word");
  word.textContent = text;
  word.hidden = !text;
}

/** Move the keyboard along the turns of a lane. */
function along(event, turns) {
  const step = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity }[event.key];
  if (!step) return;
  event.preventDefault();
  const at = Math.max(0, Math.min(turns.length - 1, turns.indexOf(document.activeElement) + step));
  for (const turn of turns) turn.tabIndex = turn === turns[at] ? 0 : -1;
  turns[at].focus();
}
