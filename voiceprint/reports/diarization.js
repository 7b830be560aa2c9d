"use strict";
const sound = document.getElementById("sound");
const said = document.getElementById("said");
const place = document.querySelector("#board .place");
const seconds = Number(place.dataset.seconds), left = Number(place.dataset.left), width = Number(place.dataset.width);
let stop = null, playing = null;
function end() {
  stop = null;
  if (playing) playing.classList.remove("playing");
  playing = null;
}
function play(turn) {
  end();
  playing = turn;
  turn.classList.add("playing");
  sound.currentTime = Number(turn.dataset.start);
  stop = Number(turn.dataset.stop);
  said.textContent = turn.getAttribute("aria-label");
  sound.play();
}
for (const turn of document.querySelectorAll(".turn")) {
  turn.addEventListener("click", () => play(turn));
  turn.addEventListener("keydown", event => {
    if (event.key === "Enter" || event.key === " ") { event.preventDefault(); play(turn); }
  });
}
sound.addEventListener("timeupdate", () => {
  const x = left + width * Math.min(1, sound.currentTime / seconds);
  place.setAttribute("x1", x);
  place.setAttribute("x2", x);
  if (stop !== null && sound.currentTime >= stop) { sound.pause(); end(); }
});
function quoted(text) { return "'" + text.replaceAll("'", "'\\''") + "'"; }
const inputs = [...document.querySelectorAll(".people input")];
function command(input) {
  const { recording, turns } = input.dataset;
  return "voiceprint enroll " + quoted(input.value.trim()) + " " + recording + " --turns " + quoted(turns);
}
function rename(input) {
  const called = [...(input.value.trim() || input.dataset.speaker)];
  const label = document.querySelector('text[data-lane="' + input.dataset.lane + '"]');
  const most = Number(label.dataset.letters);
  label.textContent = called.length <= most ? called.join("") : called.slice(0, most - 1).join("") + "…";
  const named = inputs.filter(each => each.value.trim());
  const enroll = document.getElementById("enroll");
  enroll.hidden = !named.length;
  enroll.querySelector("pre").textContent = named.map(command).join("\n");
}
for (const input of inputs) {
  input.addEventListener("input", () => rename(input));
  if (input.value) rename(input);
}
