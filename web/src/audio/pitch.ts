/**
 * Pitch: how high somebody speaks, in steps of 0.75 %, from 60 to 400 Hz.
 *
 * The numbers are those of `voiceprint.audio.pitch`, where they are explained.
 */

import { SAMPLE_RATE } from "./waveform.ts";

const LOW = 60; // Hz
const HIGH = 400;
const STEPS = 255;
const FIRST = 2; // bins that are heard: up to 2 kHz, which codecs and telephones pass
const LAST = 64;
const VOICED = 0.4; // of the power that has to come again after one period
const HIGHER = 0.02; // by which a pitch is preferred over that an octave below, which fits as well

const OCTAVES = Array.from({ length: STEPS }, (_, step) => (step * Math.log2(HIGH / LOW)) / (STEPS - 1));

/**
 * The pitch of a frame: from 1, 60 Hz, to 255, 400 Hz, evenly spaced in octaves; 0 where nothing is voiced.
 *
 * @param power In the bins from 0 to half the rate.
 */
export function pitchOf(power: Float64Array): number {
  const heard = power.subarray(FIRST, LAST);
  const total = heard.reduce((sum, value) => sum + value, 0) + 1e-30;
  let [best, highest, likeness] = [0, -Infinity, 0];
  wavesOf(power.length).forEach((wave, step) => {
    let sum = 0;
    for (let i = 0; i < wave.length; i += 1) sum += wave[i] * heard[i];
    const preferred = sum / total + HIGHER * OCTAVES[step];
    if (preferred > highest) [best, highest, likeness] = [step + 1, preferred, sum / total];
  });
  return likeness >= VOICED ? best : 0;
}

const WAVES = new Map<number, Float64Array[]>();

/** The cosines of the bins, pitch by pitch. */
function wavesOf(bins: number): Float64Array[] {
  const known = WAVES.get(bins);
  if (known) return known;
  const angle = (bin: number, octaves: number) => (Math.PI * (bin + FIRST) * SAMPLE_RATE) / (bins - 1) / (LOW * 2 ** octaves);
  const made = OCTAVES.map((octaves) => Float64Array.from({ length: LAST - FIRST }, (_, bin) => Math.cos(angle(bin, octaves))));
  WAVES.set(bins, made);
  return made;
}
