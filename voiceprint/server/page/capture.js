// Runs in the audio thread: microphone -> blocks of 16-bit samples, with their level.

const BLOCK_SECONDS = 0.05;

class Capture extends AudioWorkletProcessor {
  constructor() {
    super();
    this.block = new Int16Array(Math.round(sampleRate * BLOCK_SECONDS));
    this.filled = 0;
    this.power = 0;
    this.peak = 0;
    this.running = true;
    this.port.onmessage = () => this.finish();
  }

  process([channels]) {
    for (let index = 0; index < (channels[0]?.length ?? 0); index += 1) {
      let sum = 0;
      for (const channel of channels) sum += channel[index];
      this.take(sum / channels.length);
    }
    return this.running;
  }

  take(value) {
    const sample = Math.max(-1, Math.min(1, value));
    this.block[this.filled] = Math.round(sample * 32767);
    this.filled += 1;
    this.power += sample * sample;
    this.peak = Math.max(this.peak, Math.abs(sample));
    if (this.filled === this.block.length) this.send();
  }

  send() {
    const samples = this.block.slice(0, this.filled);
    const level = 10 * Math.log10(Math.max(this.power / Math.max(this.filled, 1), 1e-10)); // dBFS
    this.port.postMessage({ samples, level, peak: this.peak }, [samples.buffer]);
    this.filled = this.power = this.peak = 0;
  }

  finish() {
    if (this.filled) this.send();
    this.running = false;
    this.port.postMessage(null); // nothing comes after this
  }
}

registerProcessor("capture", Capture);
