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
for (const input of document.querySelectorAll(".people input")) {
  input.addEventListener("input", () => {
    const name = input.value.trim() || input.dataset.speaker;
    document.querySelector('text[data-lane="' + input.dataset.lane + '"]').textContent = name;
    const command = document.getElementById("enroll-" + input.dataset.lane);
    command.textContent = input.value.trim()
      ? "voiceprint enroll " + quoted(name) + " " + input.dataset.recording + " --turns " + quoted(input.dataset.turns)
      : "";
  });
}
