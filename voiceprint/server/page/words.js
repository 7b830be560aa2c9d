// What the page says: causes of trouble, qualities of a recording, numbers. It never repeats a server's text.

const OPERATOR = "whoever runs this server";
const LATER = "Nothing you entered is lost: try again in a few seconds.";

/**
 * What each cause of trouble is called, what to do about it, and which button does it.
 * "retry" asks the same again, "key" goes to the key; without a button the text says what to do.
 */
const TROUBLES = {
  // found out here
  "server-lost": {
    title: "The server does not answer",
    text: "It may be switched off, or out of reach from this network. Nothing you entered is lost: try again when it is back.",
    button: "retry",
  },
  "browser-offline": {
    title: "This device is offline",
    text: "Connect it to the network, then try again. Nothing you entered is lost.",
    button: "retry",
  },
  "server-slow": {
    title: "No answer within a minute",
    text: `The connection or the server is too slow at the moment. ${LATER}`,
    button: "retry",
  },
  // found out in a page without a server
  "model-lost": {
    title: "The engine cannot be loaded",
    text: "Part of this page did not arrive, or this browser cannot run it. Reload the page; if it stays so, use another browser.",
  },
  "model-replaced": {
    title: "These voiceprints are of another model",
    text: "They cannot be compared with what this page makes. Under People, forget everybody; then enroll them again.",
  },
  "browser-store": {
    title: "The browser keeps nothing here",
    text: "It may be a private window, or the file is no file of voiceprints. Use an ordinary window, or another file.",
  },
  "browser-full": {
    title: "The browser has no room left",
    text: "Nothing more can be kept: free some space on this device.",
  },
  "tab-failed": {
    title: "Something failed in this tab",
    text: "Reload the page and try again. Nothing that was enrolled is lost.",
  },
  // who may
  "key-needed": {
    title: "The key is not accepted",
    text: `The server does not know it, or it was withdrawn. Ask ${OPERATOR} for a key.`,
    button: "key",
  },
  "scope-missing": {
    title: "Your key does not allow this",
    text: `Enter a key that does; ${OPERATOR} has them.`,
    button: "key",
  },
  "too-much-at-once": {
    title: "Too much at once",
    text: "The server is still listening to other recordings of yours. Wait {wait}, then try again.",
    button: "retry",
  },
  "host-refused": {
    title: "Open this page on the server itself",
    text: "Without keys it answers on its own machine only, at {here}.",
  },
  "origin-refused": {
    title: "The server refuses this address",
    text: "Open the page at the server's own address.",
  },
  "too-many-requests": {
    title: "Too many requests at once",
    text: "Wait {wait}, then try again. Nothing you entered is lost.",
    button: "retry",
  },
  // people
  "speaker-not-found": {
    title: "Nobody of that name is enrolled",
    text: "The voiceprint may have been removed meanwhile.",
  },
  "speaker-exists": {
    title: "This name has a voiceprint already",
    text: "Choose another name, or add the recordings to that voiceprint.",
  },
  "speaker-refused": {
    title: "The server keeps no voiceprint of this name",
    text: `Ask ${OPERATOR} why.`,
  },
  "voice-disagrees": {
    title: "This is another voice",
    text: "The recordings do not sound like the voiceprint that they are to replace.",
  },
  "opted-out": {
    title: "They do not want to be enrolled",
    text: "They opted out, so nothing of their voice is kept.",
  },
  "consent-expired": {
    title: "Their consent has ended",
    text: "If they agree anew, note it under People. Then try again.",
  },
  "consent-needed": {
    title: "Consent is needed",
    text: "A voiceprint is kept only of people who agree. Ask them, and tick the box under Consent.",
  },
  "name-invalid": {
    title: "This name cannot be used",
    text: "Use 1 to 200 letters, digits, spaces or ordinary signs.",
  },
  // recordings
  "clip-unusable": {
    title: "This recording cannot be used",
    text: "It may be damaged, empty, too long or no sound at all. Record with the button, or choose another file.",
  },
  "recording-not-found": {
    title: "The answer is not kept any more",
    text: "The server keeps it for a quarter of an hour. Choose the recording again.",
  },
  "recording-deleted": {
    title: "The recording was deleted",
    text: "Choose it again to find out who speaks.",
  },
  "challenge-over": {
    title: "It took too long",
    text: "The words count once, and for a minute. Record again: you get new ones.",
  },
  "challenge-needed": {
    title: "The words have to be said now",
    text: "Press Record, and say the words that are shown. No other recording can hold them.",
  },
  "channels-differ": {
    title: "Two voices in one recording",
    text: "It holds another voice on its left side than on its right. Record one voice alone, or choose another file.",
  },
  "enrollment-refused": {
    title: "These recordings make no voiceprint",
    text: "More speech of one person is needed. What is wrong with a recording stands beside it.",
  },
  "body-too-large": {
    title: "Too much at once",
    text: "Leave out a recording, or use shorter ones.",
  },
  "too-much-audio": {
    title: "Too much at once",
    text: "Leave out a recording, or use shorter ones.",
  },
  "body-slow": {
    title: "Sending took too long",
    text: "Try again with a better connection, or with shorter recordings.",
    button: "retry",
  },
  "head-slow": {
    title: "Sending took too long",
    text: `The connection is too slow at the moment. ${LATER}`,
    button: "retry",
  },
  "body-incomplete": {
    title: "The connection broke off",
    text: "The recordings did not arrive whole. Nothing is lost: try again.",
    button: "retry",
  },
  "idempotency-key-in-use": {
    title: "The server is still at work on this",
    text: "Wait a few seconds, then try again. It will not be done twice.",
    button: "retry",
  },
  "answer-erased": {
    title: "This was done before",
    text: "The person was removed since. Enroll them again if they agree.",
  },
  // the server
  overloaded: { title: "The server is busy", text: `Other voices come first. ${LATER}`, button: "retry" },
  "store-unavailable": {
    title: "The server cannot reach its voiceprints",
    text: `Try again in a few seconds. If it stays so, tell ${OPERATOR}.`,
    button: "retry",
  },
  "disk-full": {
    title: "The server has no room left",
    text: `Nothing can be kept at the moment: tell ${OPERATOR}.`,
  },
  "model-unusable": {
    title: "The server cannot decide",
    text: `Its setup is not complete: tell ${OPERATOR}.`,
  },
};
const FAILED = {
  title: "The server failed",
  text: `That is not your fault. Try again; if it happens again, tell ${OPERATOR}{number}.`,
  button: "retry",
};
const REFUSED = {
  title: "The server refused this",
  text: `The page and the server may not fit together. Reload the page; if it happens again, tell ${OPERATOR}{number}.`,
};
const TWO_PEOPLE = {
  title: "Two people?",
  text: "The recordings do not sound like one voice. Leave out those that are marked, or record them again alone and in quiet.",
};
const NONE_USABLE = {
  title: "None of the recordings can be used",
  text: "What is wrong with each stands beside it.",
};

/**
 * Say what went wrong, what to do about it, and which button does it.
 *
 * @param {{status: number, code: string, problem?: object, wait?: number}} what
 * @returns {{title: string, text: string, button: string}}
 */
export function troubleWords({ status, code, problem = {}, wait = 0 }) {
  const { title, text, button = "" } = refusal(code, problem.clips) ?? TROUBLES[code] ?? (status >= 500 ? FAILED : REFUSED);
  const number = problem.request_id ? ` and give them this number: ${problem.request_id}` : "";
  const filled = text
    .replace("{here}", `http://localhost:${location.port}`)
    .replace("{wait}", seconds(Math.max(1, wait)))
    .replace("{number}", number);
  return { title, text: filled, button };
}

function refusal(code, clips = []) {
  if (code !== "enrollment-refused" || !clips.length) return null;
  if (clips.some(({ status }) => ["disagrees", "two_voices", "channels_differ"].includes(status))) return TWO_PEOPLE;
  return clips.every((clip) => clip.status !== "used") ? NONE_USABLE : null;
}

const CLIP_WORDS = {
  used: "",
  disagrees: "Another person? It sounds unlike the others",
  two_voices: "Two people in it? Record one voice alone",
  channels_differ: "Another voice on its left than on its right: record one voice alone",
  spoofed: "It does not sound like somebody speaking live",
  too_short: "Too little speech to use",
  unreadable: "It cannot be read: damaged, or no sound",
  duplicate: "The same recording again",
};

/** Say what is wrong with a recording by what the server made of it at enrollment; empty if nothing is. */
export const clipWord = ({ status }) => CLIP_WORDS[status] ?? "It cannot be used";

const NOTES = {
  short: "Too little speech: say a few sentences more",
  quiet: "Too quiet: come closer",
  clipped: "Too loud, so it is distorted: move back",
  noisy: "Noisy: find a quieter place",
  narrow_band: "It sounds like a telephone: use another microphone if you can",
};
const NO_SPEECH = "No speech found: is it the right microphone?";

/** Say what could be better about a recording, by what the server noted of it; nothing if it is fine. */
export function noteWords({ quality_notes: notes = [], seconds_of_speech: speech }) {
  return speech === 0 ? [NO_SPEECH] : notes.map(({ code }) => NOTES[code]).filter(Boolean);
}

/** Say how much likelier a match this good is if it is the person than if it is not. */
export function likelihood(llr, name) {
  const ratio = Math.exp(Math.abs(llr));
  if (ratio < EVEN) return `A match like this comes about as often from ${name} as from somebody else.`;
  const times = ratio >= 10_000 ? "more than 10,000" : `about ${Number(ratio.toPrecision(ratio < 10 ? 2 : 1)).toLocaleString("en")}`;
  const [likelier, other] = llr > 0 ? [name, "somebody else"] : ["somebody else", name];
  return `A match like this is ${times} times as likely from ${likelier} as from ${other}.`;
}

export const EVEN = 1.5; // a likelihood ratio below says neither one thing nor the other

/** Say a place in a recording: "1:05". */
export const clock = (value) => `${Math.floor(value / 60)}:${String(Math.floor(value % 60)).padStart(2, "0")}`;

export const seconds = (value) => `${value < 10 ? Number(value.toFixed(1)) : Math.round(value)} s`;
export const exact = (value) => `${value.toFixed(1)} s`;
export const count = (n, one, many = `${one}s`) => `${n.toLocaleString("en")} ${n === 1 ? one : many}`;
export const day = (iso) =>
  new Date(iso).toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" });

/** Join names: "Ada", "Ada and Ben", "Ada, Ben and Cleo". */
export const listed = (names, last = "and") =>
  names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} ${last} ${names.at(-1)}`;
