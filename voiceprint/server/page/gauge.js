// The dial: where the score lies, and from where on it is accepted.

import { element, part } from "./dom.js";
import { score as written } from "./words.js";

const LOWEST = -0.2; // cosines below say no more than this one: unlike
const HIGHEST = 1;
const CENTRE = { x: 160, y: 152 };
const RADIUS = 116;
const GAP = 0.012; // of the scale, between the two zones

/** Show a score and its threshold on the dial of a verdict. */
export function showGauge(root, { score, threshold }) {
  part(root, "gauge").hidden = false;
  part(root, "below").setAttribute("d", arc(0, at(threshold) - GAP));
  part(root, "above").setAttribute("d", arc(at(threshold) + GAP, 1));
  part(root, "limit").setAttribute("transform", turn(at(threshold)));
  const label = part(root, "limit-text");
  const edge = point(at(threshold), RADIUS + 33);
  label.textContent = written(threshold);
  label.setAttribute("x", edge.x);
  label.setAttribute("y", edge.y + 4);
  const needle = part(root, "needle");
  needle.setAttribute("transform", turn(at(score)));
  const accepted = score >= threshold;
  part(root, "dial").setAttribute(
    "aria-label",
    `Score ${written(score)}; ${written(threshold)} or more is accepted`,
  );
  part(root, "reading").replaceChildren(
    element("strong", {}, written(score)),
    ` ${accepted ? "reaches" : "is below"} the threshold ${written(threshold)}`,
  );
}

const at = (score) => Math.min(1, Math.max(0, (score - LOWEST) / (HIGHEST - LOWEST)));

/** How far along the scale a score is, for bars: 0 to 1. */
export const along = at;

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
