// What is heard while recording: a strip of levels, an estimate of the speech, a word on the loudness.

export const QUIETEST = -60; // dBFS, the low end of the meter
const BARS = 5; // pixels from one bar of the strip to the next

/** Counts speech by its level above the background. The server's detector, which knows better, has the last word. */
export class SpeechEstimate {
  seconds = 0;
  #background = -50; // dBFS

  /** Take a block's level; returns whether it sounds like speech. */
  add(level, length) {
    const rise = 2 * length; // dB: the background follows down at once, up slowly
    this.#background = level < this.#background ? (level + this.#background) / 2 : this.#background + rise;
    const speaking = level > Math.max(this.#background + 9, -52);
    if (speaking) this.seconds += length;
    return speaking;
  }
}

/** Says whether somebody is too quiet, too loud or not heard, once it has been so for a while. */
export class LoudnessWord {
  #loud = 0;
  #speech = [];
  #silent = 0;

  /** Take a block; returns a sentence, empty if all is well. */
  add({ level, peak, speaking, length }) {
    this.#loud = peak > 0.985 ? 1.5 : Math.max(0, this.#loud - length);
    this.#silent = speaking ? 0 : this.#silent + length;
    if (speaking) this.#speech = [...this.#speech.slice(-30), level];
    const usual = this.#speech.toSorted((a, b) => a - b)[this.#speech.length >> 1] ?? 0;
    if (this.#loud > 0) return "Too loud: move back a little.";
    if (this.#silent > 3) return "I hear no speech. Is the right microphone chosen?";
    if (this.#speech.length > 15 && usual < -45) return "Too quiet: come closer or speak up.";
    return "";
  }
}

/** The strip: a bar for each moment, as long as it was loud, in colour where somebody spoke. */
export class Strip {
  #canvas;
  #bars = [];

  constructor(canvas) {
    this.#canvas = canvas;
    new ResizeObserver(() => this.#draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#draw());
  }

  clear() {
    this.#bars = [];
    this.#draw();
  }

  add(level, speaking) {
    this.#bars.push({ height: share(level), speaking });
    this.#bars = this.#bars.slice(-400);
    this.#draw();
  }

  #draw() {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    const scale = devicePixelRatio;
    if (this.#canvas.width !== Math.round(width * scale) || this.#canvas.height !== Math.round(height * scale)) {
      this.#canvas.width = Math.round(width * scale);
      this.#canvas.height = Math.round(height * scale);
    }
    const pen = this.#canvas.getContext("2d");
    const colours = getComputedStyle(this.#canvas);
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, height);
    const places = Math.floor(width / BARS);
    const shown = this.#bars.slice(-places);
    for (let place = 0; place < places; place += 1) {
      const bar = shown[place];
      const long = Math.max(3, (bar?.height ?? 0) * height);
      pen.fillStyle = colours.getPropertyValue(!bar ? "--line" : bar.speaking ? "--accent" : "--faint");
      pen.beginPath();
      pen.roundRect(place * BARS + 1, (height - long) / 2, 3, long, 1.5);
      pen.fill();
    }
  }
}

/** Return how far a level in dBFS is along the meter, 0 to 1. */
export const share = (level) => Math.min(1, Math.max(0, 1 - level / QUIETEST));
