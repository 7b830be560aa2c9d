// The microphone, which records 16-bit mono wav, for that loses nothing; and files.

import { Trouble } from "./api.js";

/** The microphone or a file cannot be used; the message says why and what to do. */
export class RecordingTrouble extends Error {}

const OR_FILE = "then press Record again. Or choose a file.";
const REASONS = {
  NotAllowedError: `The browser does not let this page use the microphone. Allow it in the address bar (the icon beside the address), ${OR_FILE}`,
  Dismissed: `The browser asked whether this page may use the microphone, and got no answer. Press Record again and allow it. Or choose a file.`,
  System: `The system does not let the browser use the microphone. Allow it in the system's privacy settings, ${OR_FILE}`,
  NotFoundError: `No microphone was found. Connect one, ${OR_FILE}`,
  NotReadableError: `Another program is using the microphone. Close it, ${OR_FILE}`,
  Insecure: "Browsers let a page record only over https or on localhost. Open it that way, or choose a file.",
};
const NAMES = { SecurityError: "NotAllowedError", OverconstrainedError: "NotFoundError", AbortError: "NotReadableError" };

function reason({ name, message }) {
  if (name === "NotAllowedError" && /dismissed/i.test(message)) return REASONS.Dismissed;
  if (name === "NotAllowedError" && /system/i.test(message)) return REASONS.System;
  return REASONS[name] ?? REASONS[NAMES[name]] ?? "This browser cannot record. Choose a file, or use another browser.";
}

let context = null; // of all recordings: what it needs from the server is loaded once
let loaded = null;

/**
 * Load what recording needs, while the server is there.
 *
 * @throws {Trouble} if the server is not there
 */
export async function prepareRecording() {
  if (!isSecureContext) return;
  context ??= new AudioContext();
  loaded ??= context.audioWorklet.addModule(new URL("./capture.js", import.meta.url));
  try {
    await loaded;
  } catch {
    loaded = null;
    throw new Trouble({ status: 0, code: navigator.onLine ? "server-lost" : "browser-offline" });
  }
}

/** Turn blocks of 16-bit samples into a wav file. */
export function wavOf(blocks, rate) {
  const bytes = blocks.reduce((sum, block) => sum + block.byteLength, 0);
  const header = new DataView(new ArrayBuffer(44));
  const text = (at, letters) => [...letters].forEach((letter, i) => header.setUint8(at + i, letter.charCodeAt(0)));
  text(0, "RIFF");
  header.setUint32(4, 36 + bytes, true);
  text(8, "WAVEfmt ");
  header.setUint32(16, 16, true); // bytes of this part
  header.setUint16(20, 1, true); // PCM
  header.setUint16(22, 1, true); // channels
  header.setUint32(24, rate, true);
  header.setUint32(28, rate * 2, true); // bytes a second
  header.setUint16(32, 2, true); // bytes a frame
  header.setUint16(34, 16, true); // bits
  text(36, "data");
  header.setUint32(40, bytes, true);
  return new Blob([header, ...blocks], { type: "audio/wav" });
}

/** One recording, from start to stop. */
export class Recorder {
  #stream;
  #source;
  #node;
  #blocks = [];

  /**
   * Ask for the microphone and begin.
   *
   * @param {(block: {level: number, peak: number, seconds: number, samples: Int16Array, rate: number}) => void} onBlock
   *   told 20 times a second the level in dBFS, the highest sample, the length so far, and the samples themselves
   * @param {{keep: boolean}} options keep: whether `stop` gives the recording; otherwise it may go on for hours
   * @throws {RecordingTrouble} if the microphone cannot be used
   * @throws {Trouble} if the server is needed and does not answer
   */
  static async start(onBlock, { keep = true } = {}) {
    if (!isSecureContext) throw new RecordingTrouble(REASONS.Insecure);
    await prepareRecording();
    const recorder = new Recorder();
    try {
      // As the microphone hears it: what makes calls pleasant takes away what tells voices apart.
      recorder.#stream = await navigator.mediaDevices.getUserMedia({
        audio: { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false },
      });
      await recorder.#listen(onBlock, keep);
    } catch (error) {
      recorder.#release();
      throw new RecordingTrouble(reason(error));
    }
    return recorder;
  }

  async #listen(onBlock, keep) {
    this.#source = context.createMediaStreamSource(this.#stream);
    this.#node = new AudioWorkletNode(context, "capture");
    let samples = 0;
    this.#node.port.onmessage = ({ data }) => {
      if (keep) this.#blocks.push(data.samples);
      samples += data.samples.length;
      onBlock({ ...data, seconds: samples / context.sampleRate, rate: context.sampleRate });
    };
    this.#source.connect(this.#node);
    this.#node.connect(context.destination); // it writes silence; unconnected, some browsers would not run it
    await context.resume();
  }

  /** Called when the device is gone; a headset may be pulled out. */
  set onEnded(told) {
    this.#stream.getTracks()[0].addEventListener("ended", told);
  }

  /** End, and return the recording as a wav file. */
  async stop() {
    await new Promise((resolve) => {
      const before = this.#node.port.onmessage;
      this.#node.port.onmessage = (event) => (event.data ? before(event) : resolve());
      this.#node.port.postMessage("finish");
      setTimeout(resolve, 500); // an audio thread that has stopped does not answer
    });
    this.#release();
    return wavOf(this.#blocks, context.sampleRate);
  }

  #release() {
    this.#stream?.getTracks().forEach((track) => track.stop());
    this.#source?.disconnect();
    this.#node?.disconnect();
    context.suspend();
  }
}

const NO_SOUND = /^(image|text)\/|\b(pdf|zip)$/;

/**
 * Return a file as it is sent: the server reads what phones and browsers record.
 *
 * @throws {RecordingTrouble} if that is hopeless
 */
export function sendable(file, { maxBytes }) {
  if (!file.size) throw new RecordingTrouble(`“${file.name}” is empty. Copy or record it again.`);
  if (NO_SOUND.test(file.type)) throw new RecordingTrouble(`“${file.name}” holds no sound. Choose a recording.`);
  if (file.size > maxBytes) throw new RecordingTrouble(`“${file.name}” is too long. Choose a shorter one.`);
  return { blob: file, fileName: file.name };
}
