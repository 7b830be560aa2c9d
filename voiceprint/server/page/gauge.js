// The dial: how alike two voices are, and the mark from which on they are taken for one.

import { part } from "./dom.js";

const LOWEST = -0.2; // cosines below say no more than this one: unlike
const HIGHEST = 1;
const CENTRE = { x: 160, y: 152 };
const RADIUS = 116;
const GAP = 0.012; // of the scale, between the two zones

/** Of a cosine: within this of the mark another recording may well be decided otherwise. */
export const CLOSE = 0.04;
const FAR = 0.15;

/** Say where a score lies beside its threshold. */
export function placeWords({ score, threshold }) {
  const margin = score - threshold;
  if (margin >= FAR) return "Far more alike than needed";
  if (margin >= CLOSE) return "More alike than needed";
  if (margin >= 0) return "Just alike enough";
  if (margin > -CLOSE) return "Just not alike enough";
  return margin > -FAR ? "Not alike enough" : "Far from alike enough";
}

/** Show a score and its threshold on the dial of a verdict; without any, a dial at rest. */
export function showGauge(root, reading) {
  const { score, threshold } = reading ?? { score: LOWEST, threshold: HIGHEST };
  part(root, "gauge").hidden = false;
  part(root, "gauge").dataset.rest = String(!reading);
  part(root, "gauge").dataset.reached = String(score >= threshold);
  part(root, "below").setAttribute("d", arc(0, along(threshold) - GAP));
  part(root, "above").setAttribute("d", arc(along(threshold) + GAP, 1));
  part(root, "limit").setAttribute("transform", turn(along(threshold)));
  const label = part(root, "limit-text");
  const edge = point(along(threshold), RADIUS + 34);
  label.setAttribute("x", edge.x);
  label.setAttribute("y", edge.y + 4);
  part(root, "needle").setAttribute("transform", turn(along(score)));
  const words = reading ? placeWords(reading) : "Nothing is known yet";
  part(root, "dial").setAttribute("aria-label", `How alike the voices are. ${words}.`);
  part(root, "reading").textContent = words;
}

/** How far along the scale a score is: 0 to 1. */
export const along = (score) => Math.min(1, Math.max(0, (score - LOWEST) / (HIGHEST - LOWEST)));

function point(place, radius) {
  const angle = Math.PI * (1 - place);
  return { x: CENTRE.x + radius * Math.cos(angle), y: CENTRE.y - radius * Math.sin(angle) };
}

function arc(from, to) {
  if (to <= from) return "";
  const start = point(from, RADIUS);
  const end = point(to, RADIUS);
  return `M${start.x} ${start.y}A${RADIUS} ${RADIUS} 0 0 1 ${end.x} ${end.y}`;
}

const turn = (place) => `translate(${CENTRE.x} ${CENTRE.y}) rotate(${180 * place - 90})`;
