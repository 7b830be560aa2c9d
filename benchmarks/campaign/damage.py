"""Damage a store's bytes and its columns: the same answers as before, or an error; never another answer."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.campaign.core import Attempt, BrokenPromiseError, Case
from benchmarks.campaign.mutation import mutate_bytes
from benchmarks.campaign.world import IMPOSTOR, VICTIM, World
from voiceprint import Verifier
from voiceprint.audio import Waveform, read_audio
from voiceprint.errors import ServerError, StoreError, VoiceprintError
from voiceprint.server.audit import AuditLog
from voiceprint.server.keys import KeyRing
from voiceprint.server.state import StateFile

Answers = dict[str, str]
"""What a store answers to each question; what it refuses is not there."""


@contextmanager
def damage(world: World, folder: Path) -> Iterator[Attempt]:
    """Lend the attack on every file and every column of a store."""
    yield _Damage(world, folder)


class _Damage:
    def __init__(self, world: World, folder: Path) -> None:
        self._world = world
        self._clips = {name: read_audio(world.clip(name)) for name in (VICTIM, IMPOSTOR, "bert")}
        store = world.copy_store(folder)
        with world.verifier(store) as verifier:
            verifier.store.opt_out("nobody")
        self._store, self._secrets = store, _make_keys(store)
        self._sound = self._answers(Path(shutil.copytree(store, folder / "asked")))
        if len(self._sound) != len(_QUESTIONS) + 3:
            raise BrokenPromiseError(f"a sound store answers only {sorted(self._sound)}")

    def __call__(self, case: Case) -> str:
        draw = case.generator()
        store = Path(shutil.copytree(self._store, case.folder / "store"))
        what = _damage_column(store, draw) if draw.random() < 0.5 else _damage_file(store, draw)
        (case.folder / "damage.txt").write_text(what, encoding="utf-8")
        found = self._answers(store)
        wrong = [
            f"\n  {question}: {answer[:300]}, not {self._sound[question][:300]}"
            for question, answer in found.items()
            if answer != self._sound[question]
        ]
        if wrong:
            raise BrokenPromiseError(f"other answers, and no error: {what}{''.join(wrong)}")
        return "reported" if len(found) < len(self._sound) else "harmless"

    def _answers(self, store: Path) -> Answers:
        """Ask a store everything, the whole of it in the order in which a program would."""
        answers: Answers = {}
        try:
            with self._world.verifier(store) as verifier:
                for question, ask in _QUESTIONS.items():
                    answer = _asked(ask, verifier, self._clips)
                    if answer is not None:
                        answers[question] = answer
        except StoreError:  # opening or closing it says so
            pass
        return answers | _server_answers(store, self._secrets)


def _make_keys(store: Path) -> tuple[str, str]:
    """Give the store's server a key, one that is revoked, and a log; returns the secrets."""
    with closing(StateFile(store / "server")) as state:
        ring = KeyRing(state)
        _, secret = ring.create(["verify"], label="a key")
        revoked, other = ring.create(["admin"], label="a revoked key")
        ring.revoke(revoked.id)
        for number in range(3):
            AuditLog(state).append("verify", speaker=VICTIM, number=number)
    return secret, other


def _server_answers(store: Path, secrets: tuple[str, str]) -> Answers:
    """Ask what a server would: what the keys allow, and whether the log is whole."""
    answers: Answers = {}
    try:
        with closing(StateFile(store / "server")) as state:
            for name, secret in zip(("a key", "a revoked key"), secrets, strict=True):
                with suppress(ServerError):  # this key is refused, and the other is asked all the same
                    key = KeyRing(state).find(secret)
                    answers[name] = "refused" if key is None else f"allows {key.scopes}"
            check = AuditLog(state).verify()
            if not check.fault:
                answers["log"] = str([record.entry for record in AuditLog(state).records()])
    except ServerError:
        pass
    if answers.get("a key") == "refused":  # a damaged key that is refused is no harm
        del answers["a key"]
    return answers


def _asked(
    ask: Callable[[Verifier, dict[str, Waveform]], object], verifier: Verifier, clips: dict[str, Waveform]
) -> str | None:
    try:
        return str(ask(verifier, clips))
    except VoiceprintError as error:
        if "\n" in str(error):
            raise BrokenPromiseError(f"an error of several lines: {error!r}") from error
        return None


def _verdict(verifier: Verifier, name: str, clip: Waveform) -> object:
    answer = verifier.verify(name, clip, allow_replay=True)
    return answer.decision, round(answer.score or 0.0, 6), round(answer.threshold or 0.0, 6)


_QUESTIONS: dict[str, Callable[[Verifier, dict[str, Waveform]], object]] = {
    "impostor": lambda verifier, clips: _verdict(verifier, VICTIM, clips[IMPOSTOR]),
    "target": lambda verifier, clips: _verdict(verifier, VICTIM, clips[VICTIM]),
    "identify": lambda verifier, clips: [
        (match.name, round(match.score, 6))
        for match in verifier.identify(clips["bert"], allow_replay=True).matches
    ],
    "names": lambda verifier, _: verifier.speakers(),
    # When the last claim was accepted depends on when it is asked.
    "people": lambda verifier, _: [
        repr(replace(verifier.show(name), claims=None)) for name in verifier.speakers()
    ],
    "clips": lambda verifier, _: [
        (name, clip.clip_sha256, clip.source, clip.quality, clip.added, clip.embedding.tobytes().hex())
        for name in verifier.speakers()
        for clip in verifier.store.utterances(name)
    ],
    "opt-outs": lambda verifier, _: verifier.store.opt_outs(),
    "stats": lambda verifier, _: (verifier.store.stats().n_speakers, verifier.store.stats().n_utterances),
}


def _damage_file(store: Path, draw: np.random.Generator) -> str:
    """Damage one of a store's files, or take it away."""
    files = sorted(path for path in store.rglob("*") if path.is_file())
    file = files[int(draw.integers(len(files)))]
    data = file.read_bytes()
    damaged, how = mutate_bytes(data, draw)
    file.write_bytes(damaged)
    return f"{file.relative_to(store)}: {how}"


def _damage_column(store: Path, draw: np.random.Generator) -> str:
    """Change one value of one row of one table of a database of the store."""
    databases = sorted(store.rglob("*.sqlite3"))
    database = databases[int(draw.integers(len(databases)))]
    with closing(sqlite3.connect(database)) as connection:
        columns = [
            (table, column)
            for (table,) in connection.execute(
                "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
            ).fetchall()
            for (column,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,)).fetchall()
            if connection.execute(f'SELECT count(*) FROM "{table}"').fetchone() != (0,)
        ]
        table, column = columns[int(draw.integers(len(columns)))]
        values = connection.execute(f'SELECT DISTINCT "{column}" FROM "{table}"').fetchall()
        (value,) = values[int(draw.integers(len(values)))]
        changed = _other_value(value, draw)
        try:
            connection.execute(f'UPDATE "{table}" SET "{column}" = ? WHERE "{column}" IS ?', (changed, value))
            connection.commit()
        except (sqlite3.Error, OverflowError) as error:  # a constraint of the table holds it off
            return f"{table}.{column}: {value!r:.60} could not become {changed!r:.60} ({error})"
    return f"{table}.{column}: {value!r:.60} became {changed!r:.60}"


_FAR_VALUES = (None, 0, -1, 2**62, 1e300, float("nan"), "", b"", "\u0000", "9999-99-99")


def _other_value(value: object, draw: np.random.Generator) -> object:
    """Return something near a value of a column, or far from it."""
    kind = draw.random()
    if kind < 0.1:
        return _FAR_VALUES[int(draw.integers(len(_FAR_VALUES)))]
    if isinstance(value, int):
        return value ^ (1 << int(draw.integers(62)))
    if isinstance(value, float):
        return [-value, value * 10, value + 1, value / 1e9][int(draw.integers(4))]
    if isinstance(value, bytes):
        return mutate_bytes(value, draw)[0]
    if isinstance(value, str):
        return mutate_bytes(value.encode(), draw)[0].decode("utf-8", "replace")
    return json.dumps(value)
