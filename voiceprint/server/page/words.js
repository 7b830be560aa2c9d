// What the page says: problems, qualities of a clip, numbers.

const LOST =
  "The server does not answer. Check that it is running and that you are connected to its network, " +
  "then try again. Nothing you entered is lost.";

const SENTENCES = {
  "key-needed": () =>
    "The server does not know this key, or it was revoked. Enter another one under Key; whoever runs the server makes them.",
  "scope-missing": ({ detail }) =>
    `This key may not do that: it lacks the scope “${detail.split(" ").at(-1)}”. Enter a key that has it, under Key.`,
  "host-refused": () =>
    `Without keys this server answers on its own machine only: open http://localhost:${location.port} there.`,
  "origin-refused": () => "The server refuses pages of other sites. Open the page from the server itself.",
  "speaker-not-found": () => "Nobody of that name is enrolled any more. Reload the list under People.",
  "speaker-exists": () => "There is a voiceprint of this name already. Choose below what to do with it.",
  "opted-out": () => "This person does not want to be enrolled, so the server keeps nothing of their voice.",
  "consent-expired": () =>
    "What this person agreed to has ended. If they agree anew, note it under People, Consent; then try again.",
  "clip-unusable": ({ detail }) => `The clip cannot be used: ${plainly(detail)}. Record it again or choose another.`,
  "enrollment-refused": ({ detail, clips = [] }) => refusal(detail, clips),
  "body-too-large": () =>
    "That is more audio than the server takes at once. Leave out a clip, or send shorter ones.",
  "body-slow": () => "The clips took too long to arrive. Try again with a better connection or shorter clips.",
  "idempotency-key-in-use": () => "The server is still at work on this. Wait a few seconds, then try again.",
};

/** Say what went wrong and what to do. */
export function sentenceFor({ status, problem, wait }) {
  const code = (problem.type ?? "").replace("urn:voiceprint:", "");
  if (status === 0) return LOST;
  if (status === 429) return `Too many requests came at once. Wait ${seconds(Math.max(1, wait))}, then try again.`;
  if (status === 503) return unavailable(code);
  if (SENTENCES[code]) return SENTENCES[code]({ detail: "", ...problem });
  if (status >= 500) {
    const id = problem.request_id ? ` and give them this number: ${problem.request_id}` : "";
    return `The server failed, which is not your fault. Try again; if it happens again, tell whoever runs it${id}.`;
  }
  return problem.detail ? `${capital(plainly(problem.detail))}.` : `The server refused that (${status}).`;
}

function unavailable(code) {
  if (code === "store-unavailable")
    return "The server cannot reach its voiceprints at the moment. Try again in a few seconds; if it stays so, tell whoever runs it.";
  if (code === "model-unusable")
    return "The server's model has no thresholds, so it cannot decide. Whoever runs it should calibrate the model.";
  return "The server is busy with other voices. Nothing is lost: try again in a few seconds.";
}

function refusal(detail, clips) {
  if (clips.some((clip) => clip.status === "disagrees"))
    return "Two people? The clips do not sound like one voice. Leave out the ones marked below, or record them again alone and in quiet.";
  if (clips.length && clips.every((clip) => clip.status !== "used"))
    return "None of the clips can be used. What is wrong with each stands beside it.";
  return `${capital(plainly(detail))}.`;
}

/** Say what is wrong with a clip by what the server made of it at enrollment; empty if nothing is. */
export function clipWord({ status, reason }) {
  return {
    used: "",
    disagrees: "Two people? This sounds unlike the other clips",
    too_short: "Too little speech to use",
    unreadable: `Cannot be read: ${plainly(reason)}`,
    duplicate: "The same recording again",
  }[status];
}

/** Say what could be better about a clip, from its quality; empty if it is fine. */
export function qualityWords({ seconds_of_speech: speech, level_dbfs: level, clipped, snr_db: snr }) {
  if (speech < 0.5) return [speech === 0 ? "No speech found: is it the right microphone?" : "Too little speech: say more"];
  const words = [];
  if (level !== null && level < -45) words.push("Too quiet: come closer");
  if (clipped > 0.005) words.push("Too loud, so it is distorted: move back");
  if (snr !== null && snr < 8) words.push("Noisy: find a quieter place");
  return words;
}

/** Say how much likelier a score is if it is the person than if it is not. */
export function likelihood(llr, name) {
  const ratio = Math.exp(Math.abs(llr));
  if (ratio < 1.5) return `Such a score comes about as often from ${name} as from somebody else.`;
  const times = ratio >= 10_000 ? "more than 10,000" : `about ${Number(ratio.toPrecision(ratio < 10 ? 2 : 1)).toLocaleString("en")}`;
  const [likelier, other] = llr > 0 ? [name, "somebody else"] : ["somebody else", name];
  return `Such a score is ${times} times likelier from ${likelier} than from ${other}.`;
}

export const seconds = (value) => `${value < 10 ? Number(value.toFixed(1)) : Math.round(value)} s`;
export const exact = (value) => `${value.toFixed(1)} s`;
export const count = (n, one, many = `${one}s`) => `${n.toLocaleString("en")} ${n === 1 ? one : many}`;
export const score = (value) => value.toFixed(2).replace("-", "−");
export const day = (iso) =>
  new Date(iso).toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" });

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
const plainly = (text) => text.replace(/^<bytes>:? ?/, "").replace(/\.$/, "");
