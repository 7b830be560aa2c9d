from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from voiceprint.audio import read_audio
from voiceprint.audio.clips import samples_to_embed
from voiceprint.errors import VoiceprintError
from voiceprint.model import SpeakerModel
from voiceprint.workers import available_cpus, embed_files, map_with_model


def describe(model: SpeakerModel, item: int) -> tuple[int, str, int]:
    return item, model.id, os.getpid()


def die(model: SpeakerModel, item: int) -> None:
    os._exit(1)


def refuse(model: SpeakerModel, item: int) -> int:
    if item == 3:
        raise VoiceprintError("three")
    return item


@pytest.mark.parametrize("jobs", [1, 2])
def test_results_come_in_order_from_processes_that_hold_the_model(model: SpeakerModel, jobs: int) -> None:
    results = list(map_with_model(describe, range(9), model, jobs=jobs, chunk=2))
    assert [item for item, _, _ in results] == list(range(9))
    assert {model_id for _, model_id, _ in results} == {model.id}
    assert (os.getpid() in {process for _, _, process in results}) == (jobs == 1)


@pytest.mark.parametrize("jobs", [0, 1, 2, 8])
@pytest.mark.parametrize("items", [[], [5]])
def test_little_or_nothing_to_do_needs_no_process(model: SpeakerModel, jobs: int, items: list[int]) -> None:
    results = list(map_with_model(describe, items, model, jobs=jobs))
    assert results == [(item, model.id, os.getpid()) for item in items]


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_error_in_a_process_is_the_callers(model: SpeakerModel, jobs: int) -> None:
    with pytest.raises(VoiceprintError, match="three"):
        list(map_with_model(refuse, range(9), model, jobs=jobs))


def test_a_process_that_dies_is_an_error_with_advice(model: SpeakerModel) -> None:
    with pytest.raises(VoiceprintError, match=r"a worker process died.*jobs=1"):
        list(map_with_model(die, range(3), model, jobs=2))


def test_files_are_embedded_in_order_and_failures_say_why(
    model: SpeakerModel, people: Path, tmp_path: Path
) -> None:
    (tmp_path / "broken.wav").write_bytes(b"nothing")
    paths = [
        str(people / "ada/0.wav"),
        str(tmp_path / "broken.wav"),
        str(people / "bert/0.wav"),
        "missing.wav",
    ]
    results = list(embed_files(paths, model, jobs=1))
    assert [result.path for result in results] == paths
    assert [result.embedding is None for result in results] == [False, True, False, True]
    assert "broken.wav" in results[1].error
    assert "missing.wav does not exist" in results[3].error
    expected = model.embed([samples_to_embed(read_audio(paths[2]))])[0]
    np.testing.assert_array_equal(results[2].embedding, expected)


def test_there_is_a_processor() -> None:
    assert 1 <= available_cpus() <= (os.cpu_count() or 1)


def test_a_silent_file_is_reported_by_its_path(
    model: SpeakerModel, tmp_path: Path, wav: Callable[..., Path]
) -> None:
    path = wav(tmp_path / "silent.wav", np.zeros(16_000, dtype=np.float32))
    (result,) = embed_files([str(path)], model, jobs=1)
    assert result.embedding is None
    assert result.error == f"{path}: is digital silence, there is nothing to embed"
