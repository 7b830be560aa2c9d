"""A folder with one of each document that the commands read, and the sound that they speak of."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.campaign.core import BrokenPromiseError
from benchmarks.campaign.made_up import write_many
from benchmarks.campaign.program import Finished, require_clean, run
from benchmarks.campaign.world import IMPOSTOR, VICTIM, World


def run_in(work: Path, arguments: Sequence[str], **options: Any) -> Finished:
    """Run a command in a folder of documents, on the store and the models there."""
    environment = {"VOICEPRINT_STORE": str(work / "store"), "VOICEPRINT_MODELS": str(work / "models")}
    return run(arguments, folder=work, environment=environment, **options)


def copy_all(folder: Path, target: Path) -> Path:
    """Copy such a folder; what a command may write to is copied, the rest is linked."""
    shutil.copytree(folder, target, copy_function=os.link, ignore=shutil.ignore_patterns("store"))
    shutil.copytree(folder / "store", target / "store")
    return target


def write_all(world: World, folder: Path) -> None:
    """Write every document as it should be, with the sound that they speak of."""
    folder.mkdir()
    clips = [(name, number) for name in ("ada", "bert", "cleo", "dmitri", "edda") for number in range(4)]
    for name, number in clips:
        (folder / name).mkdir(exist_ok=True)
        os.link(world.clip(name, number), folder / name / f"{number}.wav")
    os.link(world.clip(IMPOSTOR), folder / "impostor.wav")
    shutil.copytree(world.store, folder / "store")
    rows = [f"{name}/{number}.wav,{name},s{number},dev,3.0,f,ä" for name, number in clips]
    _write(folder / "manifest.csv", ["path,speaker,session,split,seconds,gender,text", *rows])
    _write(folder / "list.txt", [f"{name}/{number}.wav" for name, number in clips[:4]])
    _write_trials(folder, clips)
    for suffix in ("json", "npz"):
        write_many(folder / f"voices.{suffix}", world, people=8)
    require_clean(run_in(folder, ["export", "mine.json", "--name", VICTIM]), codes=(0,))
    require_clean(run_in(folder, ["tune"]), codes=(0,))
    if not (folder / "store" / "tuning.toml").exists():
        raise BrokenPromiseError("tune has written no tuning.toml")
    shutil.copytree(world.model.folder, folder / "model")
    recipe = Path(__file__).resolve().parents[2] / "configs" / "default.toml"
    shutil.copy(recipe, folder / "recipe.toml")


def _write_trials(folder: Path, clips: list[tuple[str, int]]) -> None:
    """Write trial lists of two kinds, with what belongs to them."""
    pairs = [(a, b) for a in clips[:12] for b in clips[1:13:3] if a != b]
    trials = [f"{a[0]}/{a[1]}.wav {b[0]}/{b[1]}.wav" for a, b in pairs]
    labels = [int(a[0] == b[0]) for a, b in pairs]
    _write(folder / "trials.txt", [f"{label} {trial}" for label, trial in zip(labels, trials, strict=True)])
    _write(folder / "scores.txt", [f"{trial} {0.01 * number:.2f}" for number, trial in enumerate(trials)])
    names = ("ada", "bert", "cleo")
    _write(folder / "models.txt", [f"{name}: {name}/0.wav {name}/1.wav" for name in names])
    tests = [f"{model},{name}/2.wav,{int(name == model)}" for model in names for name in names]
    _write(folder / "trials.csv", ["enroll,test,target", *tests])


def _write(path: Path, lines: list[str]) -> None:
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")
