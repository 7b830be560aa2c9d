import assert from "node:assert/strict";
import { test } from "node:test";

import { VoiceprintError } from "../src/errors.ts";
import { MemoryBackend } from "../src/store/backend.ts";
import { EnrollmentStore } from "../src/store/enrollment_store.ts";
import { readExport, writeExport } from "../src/store/exchange.ts";
import { fileName, normalizeName, refuseReserved } from "../src/store/names.ts";
import type { EnrolledUtterance, VoiceprintRecord } from "../src/store/records.ts";
import { MOST_ACCEPTED, MOST_BYTES, remembered } from "../src/store/seen.ts";

const MODEL = "m".repeat(64);
const voice = (angle: number, hash = "a"): EnrolledUtterance => ({
  embedding: Float32Array.of(Math.cos(angle), Math.sin(angle)),
  clip_sha256: hash.repeat(64),
  source: `C:\\private\\${hash}.wav`,
  quality: { seconds: 3, seconds_of_speech: 2, level_dbfs: -20, clipped: 0, snr_db: null },
  added: null,
});
const opened = (model = MODEL, backend = new MemoryBackend()) => new EnrollmentStore(backend, model, 2);
const code = (wanted: string) => (error: unknown) => error instanceof VoiceprintError && error.code === wanted;
const enroll = (store: EnrollmentStore, name: string, ...clips: EnrolledUtterance[]) => store.addJudged(name, () => clips, { mode: "new" });

test("who is enrolled is found by voice, and gone when removed", async () => {
  const store = opened();
  await enroll(store, " Ada ", voice(0));
  await enroll(store, "Bert", voice(1.5));
  assert.deepEqual((await store.search(voice(0.1).embedding)).map(({ name }) => name), ["Ada", "Bert"]);
  await store.remove("Ada");
  assert.deepEqual(await store.names(), ["Bert"]);
  await assert.rejects(store.get("Ada"), code("speaker_not_found"));
});

test("a clip joins once, by its file's name alone", async () => {
  const store = opened();
  await enroll(store, "Ada", voice(0));
  const after = await store.addJudged("Ada", (enrolled, clips) => (assert.ok(enrolled && clips.length), [voice(0), voice(0.2, "b")]), { mode: "add" });
  assert.equal(after.n_utterances, 2);
  assert.deepEqual((await store.record("Ada")).utterances.map(({ source }) => source), ["a.wav", "b.wav"]);
});

test("who is there is not enrolled anew, and what fails leaves all as it was", async () => {
  const store = opened();
  await enroll(store, "Ada", voice(0));
  await assert.rejects(enroll(store, "Ada", voice(1)), code("speaker_exists"));
  await assert.rejects(store.addJudged("Cleo", () => [voice(1)], { mode: "add" }), code("speaker_not_found"));
  const long = { ...voice(1), embedding: Float32Array.of(3, 4) };
  await assert.rejects(store.addJudged("Ada", () => [long], { mode: "replace" }), /of length 5, not 1/);
  await assert.rejects(enroll(store, "Unknown", voice(1)), code("invalid_name"));
  assert.deepEqual((await store.get("Ada")).centroid, voice(0).embedding);
});

test("what a file could not hold, or nobody means, is refused", async () => {
  const store = opened();
  const given = (terms: object) => store.addJudged("Ada", () => [voice(0)], { mode: "new", terms });
  await assert.rejects(given({ consent: { by: "Ada", purpose: "tests" } }), /no time with its zone/);
  await assert.rejects(given({ consent: { by: "Ada", purpose: "\ud800", given: "2026-01-02T03:04:05Z" } }), /consent: purpose/);
  await assert.rejects(given({ expires: new Date(4e12) }), /no time with its zone/);
  await assert.rejects(given({ notes: "a\0b" }), /give text/);
  const wrong = "Add" as "add";
  await assert.rejects(async () => store.checkMode("Ada", wrong), /mode is "Add"; it must be new, add or replace/);
  await assert.rejects(async () => store.importRecords([], { mode: wrong, optOuts: [], judge: () => [] }), /new, skip, add or replace/);
  assert.equal(fileName("a\0\ud800.wav"), "a\ufffd\ufffd.wav");
});

test("whoever opted out is removed and refused until they opt in", async () => {
  const store = opened();
  await enroll(store, "Ada", voice(0));
  await store.optOut("Ada");
  assert.deepEqual(await store.names(), []);
  await assert.rejects(enroll(store, "Ada", voice(0)), code("speaker_opted_out"));
  await store.optIn("Ada");
  await enroll(store, "Ada", voice(0));
});

test("voiceprints of another model are not compared, and can be forgotten", async () => {
  const backend = new MemoryBackend();
  await enroll(opened(MODEL, backend), "Ada", voice(0));
  const other = opened("n".repeat(64), backend);
  await assert.rejects(other.search(voice(0).embedding), code("model_mismatch"));
  await assert.rejects(enroll(other, "Bert", voice(0)), code("model_mismatch"));
  await other.forgetEverything();
  await enroll(other, "Bert", voice(0));
});

test("an expired voiceprint is no match, and none is made of terms that have ended", async () => {
  const store = opened();
  await enroll(store, "Ada", voice(0));
  await store.setTerms("Ada", { consent: null, expires: "2020-01-01T00:00:00Z" });
  assert.deepEqual(await store.search(voice(0).embedding), []);
  const late = { mode: "new" as const, terms: { expires: "2020-01-01T00:00:00Z" } };
  await assert.rejects(store.addJudged("Bert", () => [voice(0)], late), code("speaker_expired"));
  await assert.rejects(store.setTerms("Ada", { consent: null, expires: "tomorrow" }), /no time with its zone/);
});

const record = (name: string, ...utterances: EnrolledUtterance[]): VoiceprintRecord => ({
  name, notes: "ü", created: "2026-01-02T03:04:05+00:00", updated: "2026-01-02T03:04:05Z",
  consent: { by: name, purpose: "tests", given: "2026-01-02T03:04:05Z" }, expires: null, utterances,
});
const exported = (...records: VoiceprintRecord[]) => ({ model_id: MODEL, dim: 2, opt_outs: [], records });

const PRINT = Uint8Array.of(2, 0, 0, 0, 1, 0, 0, 0, 255, 1, 2); // one patch, from the second on

test("an export holds every bit of an embedding, and by what a clip is known again", () => {
  const file = exported(record("Ada", { ...voice(0.3), added: "2026-01-02T03:04:05Z", fingerprint: PRINT }, voice(0.4, "b")));
  assert.deepEqual(readExport(writeExport(file)), file);
});

test("a recording is remembered where it was not seen before, and goes with the person", async () => {
  const store = opened();
  await enroll(store, "Ada", { ...voice(0), fingerprint: PRINT });
  const fresh = (sha256: string) => [{ at: new Date().toISOString(), sha256, fingerprint: PRINT }];
  assert.equal(await store.noteAccepted("Ada", fresh("b"), (seen) => (assert.equal(seen.length, 1), null)), null);
  assert.equal(await store.noteAccepted("Ada", fresh("c"), (seen) => seen[1].sha256), "b");
  assert.deepEqual((await store.seen("Ada")).map(({ kind }) => kind), ["enrolled", "accepted"]);
  await store.rename("Ada", "Adele");
  await store.addJudged("Adele", () => [voice(0.1, "d")], { mode: "replace" });
  assert.deepEqual((await store.seen("Adele")).map(({ kind, sha256 }) => [kind, sha256[0]]), [["enrolled", "d"], ["accepted", "b"]]);
  await store.remove("Adele");
  assert.deepEqual([await store.seen("Adele"), await store.seen("Ada")], [[], []]);
  assert.equal(await store.noteAccepted("Ada", fresh("b"), () => assert.fail()), null);
  for (const erase of [(name: string) => store.optOut(name), () => store.forgetEverything(), expire]) {
    await enroll(store, "Cleo", voice(1));
    await store.noteAccepted("Cleo", fresh("e"), () => null);
    await erase("Cleo");
    assert.deepEqual(await store.backend.run("readonly", (rows) => rows.keys("recordings")), []);
    await store.forgetEverything();
  }
  async function expire(name: string): Promise<void> {
    await store.setTerms(name, { consent: null, expires: "2020-01-01T00:00:00Z" });
    assert.deepEqual(await store.removeExpired(), ["Cleo"]);
  }
});

test("what is remembered of accepted recordings is bounded, and the oldest goes first", () => {
  const accepted = (sha256: string, bytes: number) => ({ at: "2026-01-02T03:04:05Z", sha256, fingerprint: new Uint8Array(bytes) });
  const many = Array.from({ length: MOST_ACCEPTED + 5 }, (_, i) => accepted(String(i), 10));
  const kept = remembered(many);
  assert.deepEqual([kept.length, kept[0].sha256], [MOST_ACCEPTED, "5"]);
  assert.deepEqual(remembered([accepted("a", 10), accepted("b", MOST_BYTES)]).map(({ sha256 }) => sha256), ["b"]);
});

test("a file that is no export says where", () => {
  const sound = JSON.parse(writeExport(exported(record("Ada", voice(0.3))))) as { speakers: { utterances: Record<string, unknown>[] }[] };
  const broken = (change: (clip: Record<string, unknown>) => void) => {
    const copy = structuredClone(sound);
    change(copy.speakers[0].utterances[0]);
    return () => readExport(JSON.stringify(copy));
  };
  assert.throws(() => readExport("PK\u0003\u0004"), /write it as .json/);
  assert.throws(() => readExport('{"format": "other"}'), /its format is not voiceprint-export/);
  assert.throws(() => readExport("{"), code("store"));
  assert.throws(broken((clip) => (clip.embedding = [1, "2"])), /speaker 1, clip 1: embedding holds what is no number/);
  assert.throws(broken((clip) => (clip.added = "2026-01-02T03:04:05")), /no time with its zone/);
  assert.throws(broken((clip) => (clip.added = "Fri, 02 Jan 2026 03:04:05 +0000")), /no time with its zone/);
  assert.throws(broken((clip) => delete clip.seconds), /speaker 1, clip 1: seconds is no number/);
  assert.throws(broken((clip) => (clip.fingerprint = "ä")), /speaker 1, clip 1: fingerprint is no base64/);
  const silent = { ...record("Ada", voice(0.3)), consent: { by: " ", purpose: "tests", given: "2026-01-02T03:04:05Z" } };
  assert.throws(() => readExport(writeExport(exported(silent))), /consent: by has no 1 to 500 characters/);
});

test("an import is all or nothing, and asks before clips join", async () => {
  const store = opened();
  await enroll(store, "Ada", voice(0));
  const clips = [record("Bert", voice(1)), record("Ada", voice(0.1, "b"), voice(1.5, "c"))];
  const take = (mode: "new" | "add" | "skip" | "replace") => store.importRecords(clips, { mode, optOuts: [], judge: (_, given) => given.slice(0, 1) });
  await assert.rejects(take("new"), code("speaker_exists"));
  assert.deepEqual(await store.names(), ["Ada"]);
  const aside = [{ name: "Ada", source: "c.wav" }];
  assert.deepEqual(await take("add"), { added: ["Bert"], changed: ["Ada"], skipped: [], opted_out: [], set_aside: aside });
  assert.equal((await store.get("Ada")).n_utterances, 2);
  assert.deepEqual((await take("skip")).skipped, ["Bert", "Ada"]);
  assert.deepEqual((await take("replace")).changed, ["Bert", "Ada"]);
});

test("a file's fingerprint that is none is refused, and nothing is taken in", async () => {
  const store = opened();
  const clips = [record("Ada", { ...voice(0), fingerprint: Uint8Array.of(1) })];
  await assert.rejects(store.importRecords(clips, { mode: "new", optOuts: [], judge: () => [] }), /has a fingerprint that is none/);
  assert.deepEqual(await store.names(), []);
});

test("a name is changed to one that is free", async () => {
  const store = opened();
  await enroll(store, "Ada", voice(0));
  await enroll(store, "Bert", voice(1));
  await store.optOut("Cleo");
  await assert.rejects(store.rename("Ada", "Bert"), code("speaker_exists"));
  await assert.rejects(store.rename("Ada", "Cleo"), code("speaker_opted_out"));
  await assert.rejects(store.rename("Dora", "Edda"), code("speaker_not_found"));
  assert.equal((await store.rename("Ada", " Adele ")).name, "Adele");
  assert.deepEqual(await store.names(), ["Adele", "Bert"]);
});

test("what has expired is erased on demand, and who opted out before keeps their time", async () => {
  const store = opened();
  await enroll(store, "Ada", voice(0));
  await enroll(store, "Bert", voice(1));
  await store.setTerms("Ada", { consent: null, expires: "2020-01-01T00:00:00Z" });
  assert.deepEqual([await store.removeExpired(), await store.names()], [["Ada"], ["Bert"]]);
  await store.optOut("Ada", "2026-01-02T03:04:05Z");
  await store.optOut("Ada");
  assert.deepEqual(await store.optOuts(), [{ name: "Ada", since: "2026-01-02T03:04:05Z" }]);
  await assert.rejects(store.optOut("Bert", "yesterday"), /no time with its zone/);
});

test("opt-outs of a file hold here, too", async () => {
  const store = opened();
  await enroll(store, "Ada", voice(0));
  const since = "2026-01-02T03:04:05Z";
  const report = await store.importRecords([], { mode: "new", optOuts: [{ name: "Ada", since }], judge: () => [] });
  assert.deepEqual([report.opted_out, await store.names()], [["Ada"], []]);
});

test("names have one form", () => {
  assert.equal(normalizeName("  Zoe\u0308 "), "Zoë");
  assert.equal(normalizeName("می\u200cخواهم"), "می\u200cخواهم");
  for (const name of ["", "  ", "a\u0000b", "x\u202ey", "\u200d", "n".repeat(201)]) assert.throws(() => normalizeName(name), code("invalid_name"));
  for (const name of ["unknown", "Not Enough  Speech", "ＵＮＫＮＯＷＮ"]) assert.throws(() => refuseReserved(name), code("invalid_name"));
  assert.equal(fileName("/home/ada/clinic/clip.wav"), "clip.wav");
});
