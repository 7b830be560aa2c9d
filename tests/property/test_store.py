"""A store against a plain dict, whatever is done to it in whatever order; and names of any kind."""

import shutil
import tempfile
import unicodedata
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from numpy.typing import NDArray
from store_voices import clip, open_store, traces, vector

from voiceprint.errors import InvalidNameError, SpeakerExistsError, SpeakerNotFoundError
from voiceprint.scoring import centroid, cosine
from voiceprint.store import AddMode, EnrolledUtterance, normalize_name

Key = tuple[int, int]

NAMES = st.sampled_from([f"somebody with the name {letter}" for letter in "ABCDEF"])
NUMBERS = st.lists(st.integers(0, 30), min_size=1, max_size=4)


class StoreMachine(RuleBasedStateMachine):
    """The model is a dict from a name to the keys of its clips, in order."""

    @initialize()
    def open(self) -> None:
        self.root = Path(tempfile.mkdtemp())
        self.path = self.root / "store"
        self.store = open_store(self.path)
        self.model: dict[str, list[Key]] = {}
        self.gone: list[Key] = []

    @rule(name=NAMES, numbers=NUMBERS, mode=st.sampled_from(["new", "add", "replace"]))
    def add(self, name: str, numbers: list[int], mode: AddMode) -> None:
        keys = [(ord(name[-1]), number) for number in numbers]
        refused = {"new": name in self.model, "add": name not in self.model, "replace": False}[mode]
        try:
            self.store.add(name, [clip(*key) for key in keys], mode=mode)
        except (SpeakerExistsError, SpeakerNotFoundError):
            assert refused
            return
        assert not refused
        before = [] if mode == "replace" else self.model.get(name, [])
        if mode == "replace":
            self.gone += self.model.get(name, [])
        self.model[name] = list(dict.fromkeys([*before, *keys]))

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.model)))
        self.store.remove(name)
        self.gone += self.model.pop(name)
        assert traces(self.path, name, self.vanished()) == []

    @precondition(lambda self: self.model)
    @rule(data=st.data(), new=NAMES)
    def rename(self, data: st.DataObject, new: str) -> None:
        old = data.draw(st.sampled_from(sorted(self.model)))
        try:
            self.store.rename(old, new)
        except SpeakerExistsError:
            assert new in self.model
            return
        self.model[new] = self.model.pop(old)
        if old != new:
            assert traces(self.path, old, []) == []

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = open_store(self.path)

    @rule(key=st.integers(0, 20), top=st.integers(1, 8))
    def search(self, key: int, top: int) -> None:
        query = vector(key, 1)
        scores = {name: float(cosine(self.centroid(name), query)) for name in self.model}
        expected = sorted(scores.items(), key=lambda item: (-item[1], item[0]))[:top]
        assert [(hit.name, hit.score) for hit in self.store.search(query, top=top)] == expected

    @invariant()
    def holds_what_the_model_holds(self) -> None:
        assert self.store.names() == sorted(self.model)
        for name, keys in self.model.items():
            enrollment = self.store.get(name)
            assert enrollment.n_utterances == len(keys)
            np.testing.assert_array_equal(enrollment.centroid, self.centroid(name))

    def centroid(self, name: str) -> NDArray[np.float32]:
        return centroid([vector(*key) for key in self.model[name]])

    def vanished(self) -> list[EnrolledUtterance]:
        held = {key for keys in self.model.values() for key in keys}
        return [clip(*key) for key in self.gone if key not in held]

    def teardown(self) -> None:
        assert self.store.problems() == []
        self.store.close()
        shutil.rmtree(self.root)


StoreMachine.TestCase.settings = settings(
    max_examples=20, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
test_a_store_is_a_dict_that_lasts = StoreMachine.TestCase


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=220))
def test_a_name_is_refused_or_stable(name: str) -> None:
    try:
        normal = normalize_name(name)
    except InvalidNameError as error:
        str(error).encode()
        return
    assert 1 <= len(normal) <= 200
    assert normal == normal.strip() == unicodedata.normalize("NFC", normal) == normalize_name(normal)
    assert not any(unicodedata.category(character) in ("Cc", "Cs", "Cn", "Zl", "Zp") for character in normal)
    assert normalize_name(unicodedata.normalize("NFD", name)) == normal
