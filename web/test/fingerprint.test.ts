import assert from "node:assert/strict";
import { test } from "node:test";

import type { Clip } from "../src/audio/clips.ts";
import { isFingerprint, SAME_RECORDING, traceOf } from "../src/audio/fingerprint.ts";
import { joined, SAMPLE_RATE } from "../src/audio/waveform.ts";
import { noteAccepted, replayWords } from "../src/engine/replays.ts";
import { VoiceprintError } from "../src/errors.ts";
import { MemoryBackend } from "../src/store/backend.ts";
import { EnrollmentStore } from "../src/store/enrollment_store.ts";

const whole = (samples: Float32Array) => traceOf(samples, [{ start: 0, stop: samples.length }]);
const same = (a: Float32Array, ...others: Float32Array[]) =>
  Array.from(whole(a).likeness(others.map((other) => whole(other).fingerprint())), (likeness) => likeness >= SAME_RECORDING);

/** Numbers from 0 to 1, the same for the same seed. */
function numbers(seed: number): () => number {
  let state = seed + 1;
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
}

/** A buzz of 30 harmonics whose levels move as those of speech do: anew every 80 ms. */
function voice(seed: number, seconds = 3): Float32Array {
  const next = numbers(seed);
  const samples = new Float32Array(seconds * SAMPLE_RATE);
  const step = 0.08 * SAMPLE_RATE;
  for (let harmonic = 1; harmonic <= 30; harmonic += 1) {
    const levels = Array.from({ length: Math.ceil(samples.length / step) + 2 }, () => next() ** 3);
    for (let i = 0; i < samples.length; i += 1) {
      const place = i / step;
      const at = Math.floor(place);
      const level = levels[at] + (place - at) * (levels[at + 1] - levels[at]);
      samples[i] += 0.03 * level * Math.sin((2 * Math.PI * 120 * harmonic * i) / SAMPLE_RATE);
    }
  }
  return samples;
}

test("a recording is itself, louder or softer, and others are not", () => {
  const [first, second, third] = [voice(1), voice(2), voice(3)];
  assert.deepEqual(same(first, first, second, third, first.map((sample) => 0.01 * sample)), [true, false, false, true]);
});

test("a part is found in the whole, and the other way round", () => {
  const recording = voice(1, 6);
  const part = recording.slice(30_123, 50_000);
  assert.deepEqual([same(part, recording), same(recording, part)], [[true], [true]]);
  assert.deepEqual(same(joined([voice(2), part, voice(3)]), recording, voice(4, 6)), [true, false]);
});

for (const speed of [0.98, 0.995, 1.01, 1.02]) {
  test(`played ${speed} times as fast it is the same recording`, () => {
    const recording = voice(1, 4);
    const length = Math.floor((recording.length - 2) / speed);
    const played = Float32Array.from({ length }, (_, i) => {
      const at = Math.floor(i * speed);
      return recording[at] + (i * speed - at) * (recording[at + 1] - recording[at]);
    });
    assert.deepEqual(same(played, recording), [true]);
  });
}

test("a long recording is compared by excerpts", () => {
  const recording = voice(1, 40);
  assert.deepEqual(same(recording, voice(2, 40), recording), [false, true]);
  assert.deepEqual(same(recording.slice(10 * SAMPLE_RATE, 20 * SAMPLE_RATE), recording), [true]);
});

test("pauses stay where they are, and speech on both sides adds up", () => {
  const recording = voice(1, 3);
  const stretches = [{ start: 0, stop: 14_400 }, { start: 24_000, stop: 38_400 }];
  const speech = joined(stretches.map(({ start, stop }) => recording.subarray(start, stop)));
  const known = [whole(recording).fingerprint()];
  const alone = stretches.reduce((sum, stretch) => sum + traceOf(recording.slice(stretch.start, stretch.stop), [stretch]).likeness(known)[0], 0);
  const both = traceOf(speech, stretches).likeness(known)[0];
  assert.ok(Math.abs(both - alone) < 0.2 * alone, `${both}, ${alone}`);
  assert.ok(traceOf(speech, [stretches[0], { start: 30_000, stop: 44_400 }]).likeness(known)[0] < 0.8 * alone);
});

test("what does not move is no recording", () => {
  const hum = Float32Array.from({ length: 48_000 }, (_, i) => 0.3 * Math.sin((2 * Math.PI * 300 * i) / SAMPLE_RATE));
  for (const still of [hum, new Float32Array(48_000), new Float32Array(48_000).fill(0.5)]) assert.deepEqual(same(still, still), [false]);
});

test("nothing is compared with nothing", () => {
  const known = whole(voice(1)).fingerprint();
  for (const trace of [traceOf(new Float32Array(0), []), whole(voice(1).slice(0, 1000))]) {
    assert.equal(trace.fingerprint().length, 0);
    assert.deepEqual(Array.from(trace.likeness([known, new Uint8Array(0)])), [0, 0]);
  }
  assert.equal(whole(voice(1)).likeness([]).length, 0);
});

test("what is no fingerprint is told", () => {
  const known = whole(voice(1)).fingerprint();
  assert.ok(isFingerprint(known) && isFingerprint(new Uint8Array(0)));
  const twice = Uint8Array.of(...known, ...known);
  for (const broken of [known.slice(0, -1), known.slice(0, 5), twice, new Uint8Array(8)]) {
    assert.ok(!isFingerprint(broken));
    assert.throws(() => whole(voice(1)).likeness([broken]), /fingerprints/);
  }
});

test("a replay is said in the words of the library, in UTC", () => {
  const words = replayWords({ kind: "accepted", at: "2026-01-02T23:30:00-01:00" });
  assert.equal(words, "the recording was accepted before, on 2026-01-03 at 00:30 UTC; speak anew");
});

test("what cannot be remembered is not accepted", async () => {
  const full = new MemoryBackend();
  const run = full.run.bind(full);
  full.run = (mode, work) => (mode === "readonly" ? run(mode, work) : Promise.reject(new VoiceprintError("store_full", "no more room")));
  const speech = voice(1);
  const stretches = [{ start: 0, stop: speech.length }];
  const quality = { seconds: 3, seconds_of_speech: 3, level_dbfs: -20, clipped: 0, snr_db: null };
  const clip: Clip = { source: "door.wav", sha256: "a".repeat(64), quality, speech, stretches, original_rate: SAMPLE_RATE, parts: [] };
  const refused = (error: unknown) => error instanceof VoiceprintError && error.code === "store_full";
  const store = new EnrollmentStore(full, "m".repeat(64), 2);
  await assert.rejects(noteAccepted(store, "Ada", clip, {}), refused);
  assert.equal(await noteAccepted(store, "Ada", clip, { allow_replay: true }), null);
});

/** A fingerprint of one stretch: its signs as they were stored before there was a pitch, and its pitch. */
function parts(fingerprint: Uint8Array): { older: Uint8Array; pitch: Uint8Array } {
  const view = new DataView(fingerprint.slice().buffer);
  const patches = view.getUint32(4, true) - 2 ** 31;
  view.setUint32(4, patches, true);
  return { older: new Uint8Array(view.buffer.slice(0, 8 + 3 * patches)), pitch: fingerprint.slice(8 + 3 * patches) };
}

test("the pitch stands behind the signs, right to a step, and older fingerprints are still known", () => {
  const trace = whole(voice(1));
  const { older, pitch } = parts(trace.fingerprint());
  const told = 1 + Math.round((254 * Math.log(120 / 60)) / Math.log(400 / 60));
  const voiced = pitch.filter((height) => height > 0);
  const right = voiced.filter((height) => Math.abs(height - told) <= 1); // of some moments, loud harmonics alone are heard
  assert.ok(right.length > 0.8 * pitch.length, String(pitch));
  assert.ok(isFingerprint(older));
  assert.ok(trace.likeness([older])[0] >= SAME_RECORDING);
});
