// Answers of the server as verdicts: what was decided, how clearly, and what it means.

import { element, part } from "./dom.js";
import { along, CLOSE, showGauge } from "./gauge.js";
import { EVEN, exact, likelihood, listed } from "./words.js";

const HEADS = {
  accepted: { tone: "good", icon: "check", title: "Accepted" },
  rejected: { tone: "bad", icon: "cross", title: "Rejected" },
  replayed: { tone: "bad", icon: "cross", title: "Heard before" },
  spoofed: { tone: "bad", icon: "cross", title: "Not a live voice" },
  wrong_words: { tone: "bad", icon: "cross", title: "Other words" },
  identified: { tone: "good", icon: "check", title: "Identified" },
  several: { tone: "warn", icon: "people", title: "More than one fits" },
  unknown: { tone: "neutral", icon: "question", title: "Unknown voice" },
  nobody: { tone: "neutral", icon: "people", title: "Nobody is enrolled yet" },
  not_enough_speech: { tone: "warn", icon: "question", title: "Not enough speech" },
  not_enrolled: { tone: "neutral", icon: "question", title: "Not enrolled" },
  expired: { tone: "warn", icon: "question", title: "Consent has ended" },
  opted_out: { tone: "warn", icon: "question", title: "Opted out" },
  enrolled: { tone: "good", icon: "check", title: "Enrolled" },
};
const TOO_LITTLE = "There is too little speech in the recording to decide. Speak for three seconds or more.";
const TOO_SHORT = ({ far, needed_seconds: seconds, held_far: held }) =>
  `The recording is too short to be sure enough here (${share(far)} false accepts).` +
  (seconds == null ? "" : ` Speak for ${Math.ceil(10 * seconds) / 10} seconds or more.`) +
  (held == null ? "" : ` For a recording this short, ${share(held)} can be held.`);
const share = (rate) => `${+(100 * rate).toPrecision(3)} %`;
const REFUSED = new Set(["replayed", "spoofed", "wrong_words"]); // whose voice fits
const LONGER = "A longer recording, made like the enrolled ones, decides better.";
const CLEAR = Math.log(100); // of likelihood ratios: two people who both fit are not mistaken for each other

/** Say a verification. */
export function verificationVerdict(answer, { words, actions }) {
  const { name, decision } = answer;
  const close = !REFUSED.has(decision) && answer.score != null && Math.abs(answer.score - answer.threshold) < CLOSE;
  const sentence = {
    accepted: `This sounds like ${name}${close ? ", but only just" : ""}.`,
    rejected: `This does not sound ${close ? "enough " : ""}like ${name}.`,
    replayed: replayed(answer),
    spoofed: spoofed(answer),
    wrong_words: "These are not the words that were asked for, in their order. Record again: you get new ones.",
    not_enough_speech: answer.shortfall ? TOO_SHORT(answer.shortfall) : TOO_LITTLE,
    not_enrolled: `Nobody named ${name} is enrolled here.`,
    expired: `What ${name} agreed to has ended, so the recording was not listened to.`,
    opted_out: `${name} does not want to be recognised, so the recording was not listened to.`,
  }[decision];
  const meaning = answer.llr == null ? [] : [evidence(answer)];
  if (close) meaning.push(LONGER);
  const draw = (card) => answer.score == null || showGauge(card, answer);
  return { ...HEADS[decision], sentence, meaning, words, actions, facts: factsOf(answer), draw };
}

/** Say which recording it was before. */
function replayed({ replay }) {
  if (replay == null) return "";
  const when = new Date(replay.at).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
  return replay.kind === "enrolled"
    ? `This is a recording that the voiceprint was made of, on ${when}. Speak anew.`
    : `This recording was accepted before, on ${when}. A recording counts once: speak anew.`;
}

/** Say what it sounds like, if not like somebody who speaks. */
function spoofed({ spoof }) {
  const like = { synthetic: "a voice made by a machine", loudspeaker: "a loudspeaker" }[spoof?.kind];
  return `This does not sound like somebody speaking live${like ? `, but like ${like}` : ""}. Speak yourself, near the microphone.`;
}

/** Say what the likelihood ratio means, also where it points to another side than the decision. */
function evidence({ decision, accepted, llr, name }) {
  const pointsElsewhere = !REFUSED.has(decision) && Math.abs(llr) > Math.log(EVEN) && accepted !== llr > 0;
  if (!pointsElsewhere) return likelihood(llr, name);
  return accepted
    ? `It is near enough for this server, though the recording alone points a little more to somebody else. Ask for a second proof.`
    : `The recording points to ${name}, but not strongly enough for this server.`;
}

/** The numbers behind an answer. */
function factsOf(answer) {
  const source = { given: "the request", store: "the people enrolled here", model: "the model" };
  return {
    Score: answer.score?.toFixed(3),
    Threshold: answer.threshold?.toFixed(3),
    "Threshold set by": source[answer.threshold_source],
    "Log-likelihood ratio": answer.llr?.toFixed(2),
    "Live speech, score": answer.spoof?.score.toFixed(2),
    "Live speech, threshold": answer.spoof?.threshold.toFixed(2),
    "Words, score": answer.words?.score.toFixed(1),
    "Words, threshold": answer.words?.threshold.toFixed(1),
    Speech: answer.seconds_of_speech == null ? "" : exact(answer.seconds_of_speech),
    Model: answer.model?.slice(0, 12),
    Number: answer.request_id,
  };
}

/** Say an identification: one person, several who fit, or nobody; and the nearest people beside the mark. */
export function identificationVerdict(answer, { words, actionsFor }) {
  const { matches, threshold, name } = answer;
  const reach = (mark) => matches.filter((match) => match.score >= mark).map((match) => match.name);
  const fit = threshold == null ? [] : reach(threshold);
  const near = threshold == null ? [] : reach(threshold - CLOSE).slice(fit.length);
  const how = answer.decision === "identified" && fit.length > 1 && !leads(matches) ? "several"
    : answer.decision === "unknown" && !matches.length ? "nobody"
    : answer.decision;
  const sentence = {
    identified: `This sounds like ${name}.`,
    several: `This could be ${listed(fit, "or")}.`,
    unknown: "This voice is not near enough to anybody who is enrolled here.",
    nobody: "There is no voiceprint to compare with.",
    replayed: replayed(answer),
    spoofed: spoofed(answer),
    not_enough_speech: answer.shortfall ? TOO_SHORT(answer.shortfall) : TOO_LITTLE,
  }[how];
  const meaning = {
    identified: fit.length > 1 ? [`${listed(fit.slice(1))} would fit too, but far less well.`] : near.length ? [`${listed(near)} came close. ${LONGER}`] : [],
    several: [`${name} is nearest, but it is not clear. Record more speech, or verify each of them.`],
    unknown: near.length ? [`${listed(near)} came close. ${LONGER}`] : [],
  }[how] ?? [];
  const scores = Object.fromEntries(matches.map((match) => [match.name, match.score.toFixed(3)]));
  const { Score, "Log-likelihood ratio": _, ...facts } = factsOf(answer);
  return {
    ...HEADS[how], sentence, meaning, words, actions: actionsFor(how, fit),
    facts: { ...scores, ...facts },
    draw: (card) => showMatches(card, answer),
  };
}

/** Whether the first of two who both fit is so much likelier that they are not mistaken for each other. */
const leads = ([first, second]) => first.llr != null && second.llr != null && first.llr - second.llr > CLEAR;

function showMatches(card, { matches, threshold }) {
  part(card, "nearest").hidden = !matches.length;
  part(card, "matches").replaceChildren(
    ...matches.map((match) => {
      const bar = element("span", { class: "bar", "aria-hidden": "true" }, element("i"), element("b"));
      bar.style.setProperty("--score", along(match.score));
      bar.style.setProperty("--threshold", along(threshold ?? 1));
      const margin = match.score - (threshold ?? 1);
      const near = margin > -CLOSE;
      const word = margin >= 0 ? "fits" : near ? "close" : "not near enough";
      const fit = element("span", { class: near ? "fit" : "unseen" }, word); // the bar shows what is not near
      return element("li", { "data-reached": String(margin >= 0) },
        element("span", { class: "who" }, match.name), bar, fit);
    }),
  );
}

/** Say what enrolling did. */
export function enrollmentVerdict({ speaker, clips, request_id: number }, { words, actions, speech, total }) {
  const aside = clips.filter((clip) => clip.status !== "used").length;
  return {
    ...HEADS.enrolled,
    sentence: `The voiceprint of ${speaker.name} rests on ${total} and ${speech} of speech.`,
    meaning: [aside ? "Set aside:" : "All recordings sound like one voice. They were not kept."],
    words, actions,
    facts: { Model: speaker.model.slice(0, 12), Number: number },
  };
}
