/** Level, clipping, noise and bandwidth of a clip: what to tell the person who recorded it. */

import { hann, Spectrum } from "./fourier.ts";
import { SAMPLE_RATE } from "./waveform.ts";
import { fixed } from "../text.ts";

const SHORT_SECONDS = 2; // of speech, below which a clip is short
const CLIPPED_FRACTION = 0.005; // of samples at the ceiling, above which a clip is clipped
const NOISY_DB = 8; // signal-to-noise ratio below which a clip is noisy
const QUIET_DBFS = -45; // level of the speech below which a clip is quiet
const NARROW_HZ = 4400; // bandwidth below which a clip is narrow-band
const MIN_NOISE = SAMPLE_RATE / 10; // samples; less non-speech than 0.1 s says nothing about the noise
const SPECTRUM = 512; // samples of a spectrum
const ENOUGH = 30 * SAMPLE_RATE; // samples of speech that tell the bandwidth
const BAND = 250; // Hz of a band of it
const BAND_DB = -50; // power of a band, relative to that of the voice, below which nothing is in it
const FLOOR = 1e-10; // power (-100 dBFS): quieter than any 16-bit recording

/** What is measured of a clip; null where it cannot be told. */
export interface ClipQuality {
  readonly seconds: number;
  readonly seconds_of_speech: number;
  readonly level_dbfs: number | null;
  readonly clipped: number;
  readonly snr_db: number | null;
}

/** One thing about a clip that makes a verdict less sure. */
export interface QualityNote {
  readonly code: "short" | "clipped" | "noisy" | "quiet" | "narrow_band";
  readonly text: string;
}

/** What is measured of a clip, and what of it makes a verdict less sure. */
export interface QualityReport extends ClipQuality {
  readonly quality_notes: readonly QualityNote[];
}

/** How loud some samples are, as sums that grow while they come. */
export class Loudness {
  constructor(
    public energy = 0,
    public samples = 0,
  ) {}

  static of(samples: Float32Array): Loudness {
    return new Loudness(energyOf(samples), samples.length);
  }

  get power(): number {
    return this.samples ? this.energy / this.samples : 0;
  }

  add(energy: number, samples: number): void {
    this.energy += energy;
    this.samples += samples;
  }

  /** Let all of them count half as much beside those that come. */
  halve(): void {
    this.energy /= 2;
    this.samples = Math.floor(this.samples / 2);
  }
}

/** Sum of squares. */
export function energyOf(samples: Float32Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return sum;
}

/** Tell a clip's quality by the loudness of its speech and of the rest. */
export function qualityOf(seconds: number, speech: Loudness, noise: Loudness, clipped: number): ClipQuality {
  return {
    seconds,
    seconds_of_speech: speech.samples / SAMPLE_RATE,
    level_dbfs: speech.samples ? 10 * Math.log10(Math.max(speech.power, FLOOR)) : null,
    clipped,
    snr_db: snrOf(speech, noise),
  };
}

/** Compare the power of speech, less the noise in it, with the power outside of speech. */
function snrOf(speech: Loudness, rest: Loudness): number | null {
  if (!speech.samples || rest.samples < MIN_NOISE) return null;
  const noise = Math.max(rest.power, FLOOR);
  const signal = Math.max(speech.power - noise, noise / 100); // not below -20 dB
  return Math.min(10 * Math.log10(signal / noise), 100);
}

/** Say what about a clip makes a verdict less sure. */
export function qualityNotes(quality: ClipQuality, speech: Float32Array, originalRate: number): QualityNote[] {
  const { seconds_of_speech: seconds, clipped, snr_db: snr, level_dbfs: level } = quality;
  const widest = bandwidth(speech);
  const width = widest === null ? null : Math.min(widest, originalRate / 2);
  const notes: (QualityNote | false)[] = [
    seconds < SHORT_SECONDS && { code: "short", text: `only ${fixed(seconds, 1)} s of speech; say a few sentences more` },
    clipped > CLIPPED_FRACTION && { code: "clipped", text: `${fixed(100 * clipped, 0)} % of it is clipped; lower the recording level` },
    snr !== null && snr < NOISY_DB && { code: "noisy", text: `noise only ${fixed(snr, 0)} dB below the speech; record where it is quieter` },
    level !== null && level < QUIET_DBFS && { code: "quiet", text: `very quiet (${fixed(level, 0)} dBFS); go nearer to the microphone` },
    width !== null &&
      width < NARROW_HZ && {
        code: "narrow_band",
        text: `nothing above ${Number((width / 1000).toPrecision(2))} kHz, as by telephone; record at 16 kHz or more`,
      },
  ];
  return notes.filter((note) => note !== false);
}

/** Up to which frequency a clip's speech holds sound, in Hz; null for less than 0.1 s, and for silence. */
export function bandwidth(samples: Float32Array): number | null {
  if (samples.length < MIN_NOISE) return null;
  const power = meanSpectrum(samples.subarray(0, ENOUGH));
  const width = (SPECTRUM * BAND) / SAMPLE_RATE; // bins of a band
  const bands = Array.from({ length: (power.length - 1) / width }, (_, band) => mean(power.subarray(1 + band * width, 1 + (band + 1) * width)));
  const voice = mean(Float64Array.from(bands.slice(1, 13))); // about 250 to 3250 Hz
  if (voice <= 0) return null;
  return BAND * (1 + bands.findLastIndex((band) => band >= voice * 10 ** (BAND_DB / 10)));
}

function meanSpectrum(samples: Float32Array): Float64Array {
  const spectrum = new Spectrum(hann(SPECTRUM));
  const sums = new Float64Array(SPECTRUM / 2 + 1);
  let frames = 0;
  for (let start = 0; start + SPECTRUM <= samples.length; start += SPECTRUM / 2) {
    const power = spectrum.power(samples, start);
    for (let bin = 0; bin < sums.length; bin += 1) sums[bin] += power[bin];
    frames += 1;
  }
  return sums.map((sum) => sum / frames);
}

function mean(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
