import assert from "node:assert/strict";
import { test } from "node:test";

import { toMono } from "../src/audio/channels.ts";
import { clippedFraction } from "../src/audio/clipping.ts";
import { widened } from "../src/audio/clips.ts";
import { bandwidth } from "../src/audio/quality.ts";
import { toWaveform } from "../src/audio/read.ts";
import { resampled, Resampler } from "../src/audio/resampling.ts";
import { toSegments } from "../src/audio/vad/segments.ts";
import { readWav } from "../src/audio/wav.ts";
import { joined } from "../src/audio/waveform.ts";
import { VoiceprintError } from "../src/errors.ts";

const tone = (hertz: number, rate: number, seconds: number, level = 0.5) =>
  Float32Array.from({ length: Math.round(rate * seconds) }, (_, i) => level * Math.sin((2 * Math.PI * hertz * i) / rate));
const highest = (samples: Float32Array) => samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
const middle = (samples: Float32Array) => samples.subarray(samples.length >> 2, 3 * (samples.length >> 2));
const code = (wanted: string) => (error: unknown) => error instanceof VoiceprintError && error.code === wanted;

for (const rate of [8_000, 11_025, 22_050, 44_100, 48_000, 96_000]) {
  test(`a tone of 1 kHz keeps its shape from ${rate} Hz`, () => {
    const found = resampled(tone(1000, rate, 1), rate);
    assert.equal(found.length, 16_000);
    const wanted = tone(1000, 16_000, 1);
    const off = middle(found).map((sample, i) => sample - middle(wanted)[i]);
    assert.ok(highest(off) < 1e-4, `off by ${highest(off)}`);
  });
}

test("what is above 8 kHz does not fold down into speech", () => {
  assert.ok(highest(middle(resampled(tone(9000, 48_000, 1), 48_000))) < 1e-5);
});

test("the same sound in other blocks gives the same samples", () => {
  const sound = tone(440, 44_100, 0.7);
  const resampler = new Resampler(44_100);
  const parts = [1, 7, 1000, 4096, 100, 20_000].map((size, i, sizes) => {
    const start = sizes.slice(0, i).reduce((sum, each) => sum + each, 0);
    return resampler.feed(sound.subarray(start, start + size));
  });
  const rest = resampler.feed(sound.subarray(25_204));
  assert.deepEqual(joined([...parts, rest, resampler.finish()]), resampled(sound, 44_100));
});

test("windows of speech are joined over short pauses, and bursts are dropped", () => {
  const windows = [...Array(4).fill(0.1), ...Array(6).fill(0.9), ...Array(7).fill(0.1)];
  assert.deepEqual(toSegments(windows, 17 * 512), [{ start: 512, stop: 6656 }]);
  assert.deepEqual(toSegments([0.1, 0.1, 0.9, 0.9, 0.1, 0.1, 0.1], 7 * 512), []);
});

test("margins that meet become one stretch, and none leaves the clip", () => {
  const segments = [{ start: 1000, stop: 2000 }, { start: 5000, stop: 9000 }, { start: 30_000, stop: 31_000 }];
  assert.deepEqual(widened(segments, 0, 31_500), [{ start: 0, stop: 12_200 }, { start: 26_800, stop: 31_500 }]);
});

test("a flat top is clipped, a peak is not", () => {
  assert.equal(clippedFraction(Float32Array.of(0, 1, 1, 1, 0, -1, 0, 0)), 3 / 8);
  assert.equal(clippedFraction(Float32Array.of(0, 1, 0, -1)), 0);
});

test("bandwidth ends where the sound does", () => {
  const noise = Float32Array.from({ length: 16_000 }, (_, i) => ((i * 7919) % 1013) / 1013 - 0.5);
  assert.equal(bandwidth(noise), 8000);
  assert.equal(bandwidth(tone(1000, 16_000, 1)), 1250);
});

test("two people on two channels are not mixed", () => {
  const silence = new Float32Array(16_000);
  const left = joined([tone(300, 16_000, 1), silence, tone(300, 16_000, 1), silence]);
  const right = joined([silence, tone(500, 16_000, 1), silence, tone(500, 16_000, 1)]);
  assert.throws(() => toMono([left, right], 16_000, "call.wav"), code("channels_differ"));
  assert.equal(toMono([left, right], 16_000, "call.wav", 2), right);
  assert.equal(toMono([left, left.map((sample) => -sample)], 16_000, "call.wav"), left);
});

test("what is no clip is refused by what is wrong with it", () => {
  const read = (samples: Float32Array, sample_rate = 16_000) => () => toWaveform({ channels: [samples], sample_rate }, { source: "x.wav", max_seconds: 2 });
  assert.throws(read(new Float32Array(100)), /^VoiceprintError: x.wav lasts 0.006 s; the shortest clip/);
  assert.throws(read(new Float32Array(48_000)), /lasts over 2 s/);
  assert.throws(read(Float32Array.of(...tone(100, 16_000, 1), NaN)), /NaN or infinite/);
  assert.throws(read(tone(100, 16_000, 1, 9)), /divide them/);
  assert.throws(read(tone(100, 4_000, 1), 4_000), /sample rate of 4000 Hz/);
});

test("a constant offset is subtracted", () => {
  const { samples } = toWaveform({ channels: [tone(200, 16_000, 1).map((sample) => sample + 0.1)], sample_rate: 16_000 }, {});
  assert.ok(Math.abs(samples.reduce((sum, sample) => sum + sample, 0) / samples.length) < 1e-4);
});

test("WAV is read sample for sample", () => {
  for (const [kind, bits, write] of [
    [1, 8, (view: DataView, at: number) => view.setUint8(at, 192)],
    [1, 16, (view: DataView, at: number) => view.setInt16(at, 16384, true)],
    [1, 24, (view: DataView, at: number) => view.setInt32(at - 1, 0x400000 << 8, true)],
    [1, 32, (view: DataView, at: number) => view.setInt32(at, 1073741824, true)],
    [3, 32, (view: DataView, at: number) => view.setFloat32(at, 0.5, true)],
    [3, 64, (view: DataView, at: number) => view.setFloat64(at, 0.5, true)],
  ] as const) {
    assert.deepEqual(readWav(wav(kind, bits, write), "x.wav"), { channels: [Float32Array.of(0.5)], sample_rate: 22_050 }, `${kind}/${bits}`);
  }
});

test("a WAV file that is cut short or of another coding says so", () => {
  const whole = wav(1, 16, (view, at) => view.setInt16(at, 1, true));
  assert.throws(() => readWav(whole.subarray(0, whole.length - 1), "x.wav"), /cut short/);
  assert.throws(() => readWav(whole.subarray(0, 36), "x.wav"), /holds no sound/);
  assert.equal(readWav(wav(6, 8, () => {}), "x.wav"), null);
});

/** A WAV file of one sample. */
function wav(kind: number, bits: number, write: (view: DataView, at: number) => void): Uint8Array {
  const bytes = new Uint8Array(44 + bits / 8);
  const view = new DataView(bytes.buffer);
  const text = (at: number, letters: string) => [...letters].forEach((letter, i) => view.setUint8(at + i, letter.charCodeAt(0)));
  write(view, 44); // 24 bits are written as 32 from the byte before on, which the header then covers
  text(0, "RIFF");
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, kind, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, 22_050, true);
  view.setUint16(34, bits, true);
  text(36, "data");
  view.setUint32(40, bits / 8, true);
  return bytes;
}
