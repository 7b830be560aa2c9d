from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from small_corpus import write_small_corpus
from typer.testing import CliRunner

from voiceprint.cli import app
from voiceprint.corpus import read_manifest

runner = CliRunner()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, voice: Callable[..., object]) -> Path:
    folder = tmp_path_factory.mktemp("corpora") / "small"
    write_small_corpus(folder, voice, clips=2, seconds=1.0)
    return folder


def test_scan_writes_a_manifest(tmp_path: Path, small: Path) -> None:
    result = runner.invoke(app, ["corpus", "scan", str(small), "-o", str(tmp_path / "found.csv")])
    assert result.exit_code == 0
    assert "12 utterances (folders)" in result.stdout
    assert len(read_manifest(tmp_path / "found.csv").speakers) == 6


def test_scan_names_what_it_leaves_out(tmp_path: Path, small: Path) -> None:
    (tmp_path / "ada").mkdir()
    (tmp_path / "ada" / "a.wav").write_bytes((small / "ada" / "0.wav").read_bytes())
    (tmp_path / "ada" / "bad.wav").write_bytes(b"no audio")
    refused = runner.invoke(app, ["corpus", "scan", str(tmp_path)])
    assert refused.exit_code == 2
    assert "1 of 2 utterances cannot be read" in refused.stderr
    assert not (tmp_path / "manifest.csv").exists()
    result = runner.invoke(app, ["corpus", "scan", str(tmp_path), "--max-unreadable", "0.5", "--json"])
    found = json.loads(result.stdout)
    assert (found["layout"], found["splits"][0]["utterances"]) == ("folders", 1)
    assert "bad.wav" in found["unreadable"][0]
    assert result.exit_code == 3
    assert result.stderr.startswith("left out: ") and "bad.wav" in result.stderr


def test_stats_are_a_table_or_json(small: Path) -> None:
    shown = runner.invoke(app, ["corpus", "stats", str(small)])
    assert shown.exit_code == 0
    assert "test" in shown.stdout
    (split,) = json.loads(runner.invoke(app, ["corpus", "stats", str(small), "--json"]).stdout)["splits"]
    assert (split["split"], split["speakers"], split["sessions"]) == ("test", 6, 12)
    assert split["genders"] == {"f": 3, "m": 3}


def test_split_deals_speakers(tmp_path: Path, small: Path) -> None:
    output = tmp_path / "split.csv"
    shares = ["--shares", "train=0.5,test=0.5", "--seed", "3"]
    result = runner.invoke(app, ["corpus", "split", str(small), "-o", str(output), *shares])
    assert result.exit_code == 0
    corpus = read_manifest(output, name="small")
    corpus.require_disjoint_splits()
    assert len(corpus.filter(split="test").speakers) == 3
    some = ["--only", "train", "--shares", "train=0.67,dev=0.33"]
    assert runner.invoke(app, ["corpus", "split", str(output), "-o", str(output), *some]).exit_code == 0
    dealt = read_manifest(output, name="small")
    assert dealt.filter(split="test").speakers == corpus.filter(split="test").speakers
    assert len(dealt.filter(split="dev").speakers) == 1
    wrong = runner.invoke(app, ["corpus", "split", str(small), "-o", str(output), "--shares", "half"])
    assert wrong.exit_code == 2
    assert "is not like train=0.8" in wrong.stderr


def test_check_exits_with_1_where_it_finds_something(tmp_path: Path, small: Path) -> None:
    clean = runner.invoke(app, ["corpus", "check", str(small), "--max-clipped", "1"])
    assert clean.exit_code == 0, clean.stdout
    assert "12 utterances checked, 0 findings" in clean.stdout
    soundfile.write(tmp_path / "quiet.wav", np.zeros(16000), 16000)
    (tmp_path / "manifest.csv").write_text("path,speaker,seconds\nquiet.wav,ada,1.0\n")
    found = runner.invoke(app, ["corpus", "check", str(tmp_path), "--json"])
    assert found.exit_code == 1
    assert [each["kind"] for each in json.loads(found.stdout)["findings"]] == ["one_utterance", "silent"]
    assert "silent: 1\n  " in runner.invoke(app, ["corpus", "check", str(tmp_path)]).stdout


def test_a_missing_manifest_is_one_line_and_2(tmp_path: Path) -> None:
    for command in ("stats", "check"):
        result = runner.invoke(app, ["corpus", command, str(tmp_path / "none.csv")])
        assert result.exit_code == 2
        assert result.stderr.startswith("Error: ")
        assert result.stderr.count("\n") == 1
