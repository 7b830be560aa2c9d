// Answers in words: what was decided, how clearly, and what it means.

import { button, copyOf, element, hints, part } from "./dom.js";
import { along, showGauge } from "./gauge.js";
import { exact, likelihood, score as written } from "./words.js";

const CLOSE = 0.04; // of a cosine: where another clip may well be decided otherwise

const HEADS = {
  accepted: { tone: "good", icon: "check", title: "Accepted" },
  rejected: { tone: "bad", icon: "cross", title: "Rejected" },
  identified: { tone: "good", icon: "check", title: "Identified" },
  unknown: { tone: "bad", icon: "question", title: "Unknown" },
  not_enough_speech: { tone: "warn", icon: "question", title: "Not enough speech" },
  not_enrolled: { tone: "warn", icon: "question", title: "Not enrolled" },
  expired: { tone: "warn", icon: "question", title: "Expired" },
  opted_out: { tone: "warn", icon: "question", title: "Opted out" },
  enrolled: { tone: "good", icon: "check", title: "Enrolled" },
};

/** Put an answer into its place and go there. */
export function showVerdict(place, { decision, sentence, meaning = [], words = [], actions = [], facts = {} }) {
  const { tone, icon, title } = HEADS[decision];
  const card = copyOf("verdict-template");
  card.dataset.tone = tone;
  part(card, "icon").setAttribute("href", `#i-${icon}`);
  part(card, "title").textContent = title;
  part(card, "sentence").textContent = sentence;
  part(card, "meaning").replaceChildren(...meaning.map((text) => element("p", {}, text)));
  hints(part(card, "hints"), words);
  part(card, "actions").replaceChildren(...actions.map(([text, onClick]) => button(text, onClick)));
  const known = Object.entries(facts).filter(([, value]) => value);
  part(card, "details").hidden = !known.length;
  part(card, "facts").replaceChildren(
    ...known.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]),
  );
  place.replaceChildren(card);
  place.removeAttribute("aria-busy");
  part(card, "title").focus({ preventScroll: true });
  card.scrollIntoView({ block: "nearest" });
  return card;
}

/** Show that nothing was asked yet. */
export function showNothing(place, text) {
  place.replaceChildren(element("p", { class: "nothing" }, text));
}

/** Show that the clip is being listened to. */
export function showBusy(place, text) {
  place.setAttribute("aria-busy", "true");
  place.replaceChildren(element("p", { class: "nothing busy", role: "status" }, text));
}

/** Say what a verification means. */
export function verificationWords(answer, { far, rule }) {
  const { name, decision } = answer;
  const sentence = {
    accepted: `This sounds like ${name}.`,
    rejected: `This does not sound like ${name}.`,
    not_enough_speech: "There is too little speech in the clip to decide. Speak for three seconds or more.",
    not_enrolled: `Nobody named ${name} is enrolled here.`,
    expired: `What ${name} agreed to has ended, so the clip was not listened to. New consent can be noted under People.`,
    opted_out: `${name} does not want to be recognised, so the clip was not listened to.`,
  }[decision];
  const meaning = [];
  if (answer.llr != null) meaning.push(likelihood(answer.llr, name));
  if (answer.threshold != null) meaning.push(ruleWords(answer, { far, rule }));
  if (answer.score != null && Math.abs(answer.score - answer.threshold) < CLOSE)
    meaning.push("It was close: a longer clip, recorded like the enrolled ones, decides better.");
  return { decision, sentence, meaning };
}

function ruleWords({ threshold_source: source }, { far, rule }) {
  if (far) return `At this threshold about 1 stranger in ${Math.round(1 / far).toLocaleString("en")} is expected to pass.`;
  if (source === "store") return "The threshold was tuned to the people enrolled here.";
  return rule ? `The threshold is the model's own (${rule}).` : "The threshold is the model's own.";
}

/** The numbers behind an answer. */
export function factsOf(answer) {
  return {
    Score: answer.score == null ? "" : answer.score.toFixed(3),
    Threshold: answer.threshold == null ? "" : answer.threshold.toFixed(3),
    "Log-likelihood ratio": answer.llr == null ? "" : answer.llr.toFixed(2),
    Speech: answer.seconds_of_speech == null ? "" : exact(answer.seconds_of_speech),
    Model: answer.model?.slice(0, 12),
    Request: answer.request_id,
  };
}

/** Show a verification: verdict, dial and meaning. */
export function showVerification(place, answer, { far, rule, words, actions }) {
  const card = showVerdict(place, {
    ...verificationWords(answer, { far, rule }),
    words,
    actions,
    facts: factsOf(answer),
  });
  if (answer.score != null) showGauge(card, answer);
}

/** Show an identification: the verdict and the nearest people beside the threshold. */
export function showIdentification(place, answer, { words, actions }) {
  const sentence = {
    identified: `This is most likely ${answer.name}.`,
    unknown: answer.matches.length
      ? "This sounds like nobody who is enrolled here."
      : "Nobody is enrolled here yet.",
    not_enough_speech: "There is too little speech in the clip to decide. Speak for three seconds or more.",
  }[answer.decision];
  const meaning = answer.threshold == null ? [] : [
    `To be named, the nearest voice must score ${written(answer.threshold)} or more. ` +
      "The more people are enrolled, the higher this is, so that a stranger is given a name about once in a hundred times.",
  ];
  const facts = factsOf(answer);
  const card = showVerdict(place, { decision: answer.decision, sentence, meaning, words, actions, facts });
  showMatches(part(card, "matches"), answer);
}

function showMatches(list, { matches, threshold }) {
  list.hidden = !matches.length;
  list.setAttribute("aria-label", "The nearest voices");
  list.replaceChildren(
    ...matches.map((match) => {
      const bar = element("span", { class: "bar", "aria-hidden": "true" }, element("i"), element("b"));
      bar.style.setProperty("--score", along(match.score));
      bar.style.setProperty("--threshold", along(threshold ?? 1));
      return element("li", { "data-reached": String(threshold != null && match.score >= threshold) },
        element("span", { class: "who" }, match.name), bar, element("span", { class: "number" }, written(match.score)));
    }),
  );
}
