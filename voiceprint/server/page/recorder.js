// The microphone: records 16-bit mono wav, because MediaRecorder's WebM cannot be read by the server.

/** The microphone cannot be used; the message says what to do. */
export class MicrophoneTrouble extends Error {}

const REASONS = {
  NotAllowedError:
    "The browser does not let this page use the microphone. Allow it in the address bar (the icon beside the address), then press Record again. Or choose a file.",
  NotFoundError: "No microphone was found. Connect one and press Record again, or choose a file.",
  NotReadableError: "Another program is using the microphone. Close it and press Record again, or choose a file.",
};
const INSECURE =
  "Browsers let a page record only over https or on localhost. Open it that way, or choose a file.";

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
  #context;
  #stream;
  #node;
  #blocks = [];

  /**
   * Ask for the microphone and begin.
   *
   * @param {(level: number, peak: number, seconds: number) => void} onBlock
   *   told 20 times a second the level in dBFS, the highest sample and the length so far
   * @throws {MicrophoneTrouble}
   */
  static async start(onBlock) {
    if (!navigator.mediaDevices) throw new MicrophoneTrouble(INSECURE);
    const recorder = new Recorder();
    try {
      // As the microphone hears it: what makes calls pleasant takes away what tells voices apart.
      recorder.#stream = await navigator.mediaDevices.getUserMedia({
        audio: { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false },
      });
      await recorder.#listen(onBlock);
    } catch (error) {
      recorder.#release();
      throw new MicrophoneTrouble(REASONS[error.name] ?? `The microphone cannot be used: ${error.message}`);
    }
    return recorder;
  }

  async #listen(onBlock) {
    this.#context = new AudioContext();
    await this.#context.audioWorklet.addModule(new URL("./capture.js", import.meta.url));
    this.#node = new AudioWorkletNode(this.#context, "capture");
    let samples = 0;
    this.#node.port.onmessage = ({ data }) => {
      this.#blocks.push(data.samples);
      samples += data.samples.length;
      onBlock(data.level, data.peak, samples / this.#context.sampleRate);
    };
    this.#context.createMediaStreamSource(this.#stream).connect(this.#node);
    this.#node.connect(this.#context.destination); // it writes silence; unconnected, some browsers would not run it
    await this.#context.resume();
  }

  /** Whether the device is still there; a headset may be pulled out. */
  set onEnded(told) {
    this.#stream.getTracks()[0].addEventListener("ended", told);
  }

  /** End, and return the recording as a wav file. */
  async stop() {
    const rate = this.#context.sampleRate;
    await new Promise((resolve) => {
      const before = this.#node.port.onmessage;
      this.#node.port.onmessage = (event) => (event.data ? before(event) : resolve());
      this.#node.port.postMessage("finish");
      setTimeout(resolve, 500); // an audio thread that has stopped does not answer
    });
    this.#release();
    return wavOf(this.#blocks, rate);
  }

  #release() {
    this.#stream?.getTracks().forEach((track) => track.stop());
    this.#context?.close();
  }
}

const READ_BY_THE_SERVER = /\.(wav|flac|ogg|oga|opus|mp3|aiff?|au|caf|w64)$/i;

/** Return a file as something the server reads: itself, or, for phones' m4a and the like, as wav. */
export async function readable(file) {
  if (READ_BY_THE_SERVER.test(file.name)) return { blob: file, fileName: file.name };
  const context = new OfflineAudioContext(1, 1, 48_000);
  try {
    const audio = await context.decodeAudioData(await file.arrayBuffer());
    const block = Int16Array.from(mono(audio), (value) => Math.max(-1, Math.min(1, value)) * 32767);
    return { blob: wavOf([block], audio.sampleRate), fileName: file.name.replace(/(\.\w+)?$/, ".wav") };
  } catch {
    return { blob: file, fileName: file.name }; // the server says what is wrong with it
  }
}

function mono(audio) {
  const channels = Array.from({ length: audio.numberOfChannels }, (_, index) => audio.getChannelData(index));
  return channels[0].map((_, at) => channels.reduce((sum, channel) => sum + channel[at], 0) / channels.length);
}
