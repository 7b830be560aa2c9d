from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from typer.testing import CliRunner

from voiceprint.cli import app
from voiceprint.engine.verifier import Verifier

runner = CliRunner()


@pytest.fixture(autouse=True)
def _enrolled(monkeypatch: pytest.MonkeyPatch, model_folder: Path, people: Path) -> None:
    monkeypatch.setenv("VOICEPRINT_MODEL", str(model_folder))
    with Verifier(model=model_folder) as verifier:
        for name in ("ada", "bert"):
            verifier.enroll(name, [people / name / f"{clip}.wav" for clip in range(2)], notes="[red]note")


def run(*arguments: object, given: str | None = None) -> tuple[int, str, str]:
    result = runner.invoke(app, [*map(str, arguments)], input=given)
    return result.exit_code, result.stdout, result.stderr


def names() -> list[str]:
    return [person["name"] for person in json.loads(run("list", "--json")[1])["speakers"]]


def test_list_shows_everybody_and_no_markup_is_interpreted() -> None:
    code, out, _ = run("list")
    assert code == 0
    assert "2 people enrolled" in out
    assert "[red]note" in out
    assert names() == ["ada", "bert"]


def test_an_empty_store_is_no_error(tmp_path: Path) -> None:
    for name in ("ada", "bert"):
        assert run("remove", name, "--yes")[0] == 0
    assert run("list") == (0, "Nobody is enrolled in this store yet.\n", "")
    assert json.loads(run("list", "--json")[1]) == {"speakers": []}


def test_show_tells_the_clips() -> None:
    code, out, _ = run("show", "ada")
    assert code == 0
    assert "0.wav" in out and "1.wav" in out and "notes: [red]note" in out
    shown = json.loads(run("show", "ada", "--json")[1])
    assert [clip["source"] for clip in shown["clips"]] == ["0.wav", "1.wav"]
    assert run("show", "eve")[0] == 2


def test_stats_and_show_say_what_to_expect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for command in (["stats"], ["show", "ada"]):
        expected = json.loads(run(*command, "--json")[1])["expected"]
        assert (expected["people"], expected["far"], expected["clips"]) == (2, 0.01, 2)
        assert 0.0 <= expected["named"] <= expected["accepted"] <= 1.0
        assert expected["named_with_more"] >= expected["named"]
        assert "named rightly among 2 at 1 %" in run(*command)[1]
    monkeypatch.setenv("VOICEPRINT_MODEL", str(tmp_path / "nowhere"))
    code, out, _ = run("stats")
    assert (code, "nothing: the model in use" in out) == (0, True)


def test_remove_asks_first() -> None:
    code, _, err = run("remove", "ada", given="n\n")
    assert (code, "--yes" in err) == (2, True)
    assert "Erase the voiceprint of ada (2 clips)?" in err
    assert names() == ["ada", "bert"]
    code, out, _ = run("remove", "ada", given="y\n")
    assert code == 0
    assert out.endswith("ada was removed\n")
    assert json.loads(run("remove", "bert", "--yes", "--json")[1]) == {"removed": "bert"}
    assert names() == []


def test_rename() -> None:
    assert run("rename", "ada", "Ada Lovelace")[:2] == (0, "ada is now Ada Lovelace\n")
    assert names() == ["Ada Lovelace", "bert"]
    assert run("rename", "bert", "Ada Lovelace")[0] == 2


def test_stats() -> None:
    assert "enrolled    2 people\nclips       4, " in run("stats")[1]
    found = json.loads(run("stats", "--json")[1])
    assert (found["n_speakers"], found["n_utterances"]) == (2, 4)


@pytest.mark.parametrize("ending", ["json", "npz"])
def test_voiceprints_move_to_another_store_in_a_file(tmp_path: Path, people: Path, ending: str) -> None:
    file, other = tmp_path / f"voices.{ending}", tmp_path / "other"
    assert run("export", file)[:2] == (0, f"2 voiceprints written to {file}\n")
    assert run("import", file, "--store", other)[:2] == (0, "2 added, 0 changed, 0 skipped\n")
    assert run("verify", "ada", people / "ada/3.wav", "--store", other)[0] == 0
    code, _, err = run("import", file, "--store", other)
    assert code == 2
    assert "enrolled already" in err
    assert run("import", file, "--store", other, "--existing", "skip")[1] == "0 added, 0 changed, 2 skipped\n"
    assert (
        run("import", file, "--store", other, "--existing", "replace")[1] == "0 added, 2 changed, 0 skipped\n"
    )


def test_one_person_alone_can_be_exported(tmp_path: Path) -> None:
    code, out, _ = run("export", tmp_path / "ada.json", "--name", "ada", "--json")
    assert (code, json.loads(out)["names"]) == (0, ["ada"])
    assert b"bert" not in (tmp_path / "ada.json").read_bytes()
    assert run("export", tmp_path / "eve.json", "--name", "eve")[0] == 2


def test_what_is_no_export_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{}")
    assert run("import", tmp_path / "x.json")[0] == 2
    assert run("export", tmp_path / "x.txt")[0] == 2


def test_embed_writes_arrays_in_the_order_given(tmp_path: Path, people: Path) -> None:
    (tmp_path / "broken.wav").write_bytes(b"nothing")
    paths = [people / "bert/0.wav", tmp_path / "broken.wav", people / "ada/0.wav", tmp_path / "missing.wav"]
    code, out, err = run("embed", *paths, "-o", tmp_path / "out.npz")
    assert code == 3
    assert out == f"2 files embedded, 2 left out, in {tmp_path / 'out.npz'}\n"
    assert "broken.wav" in err and "missing.wav does not exist" in err
    with np.load(tmp_path / "out.npz") as arrays:
        assert arrays["paths"].tolist() == [str(paths[0]), str(paths[2])]
        assert arrays["failed"].tolist() == [str(paths[1]), str(paths[3])]
        assert arrays["embeddings"].shape == (2, 12)
        assert arrays["embeddings"].dtype == np.float32


def test_embed_takes_one_of_two_voices_on_two_channels(tmp_path: Path, people: Path) -> None:
    voices = [sf.read(people / name / "0.wav", dtype="float32")[0] for name in ("ada", "bert")]
    sf.write(tmp_path / "call.wav", np.stack([voices[0], np.roll(voices[1], 9_000)], axis=1), 16_000)
    line = ("embed", tmp_path / "call.wav", "-o", tmp_path / "out.npz")
    code, _, err = run(*line)
    assert (code, "different sounds in its channels" in err) == (2, True)
    assert run(*line, "--channel", "1")[0] == 0
    chosen = np.load(tmp_path / "out.npz")["embeddings"][0]
    run("embed", people / "ada" / "0.wav", "-o", tmp_path / "out.npz")
    assert chosen @ np.load(tmp_path / "out.npz")["embeddings"][0] > 0.999


def test_embed_takes_a_list_and_folders(tmp_path: Path, people: Path) -> None:
    (tmp_path / "list.txt").write_text(f"{people / 'cleo'}\n\n{people / 'ada/1.wav'}\n")
    code, out, _ = run(
        "embed", "--list", tmp_path / "list.txt", "-o", tmp_path / "out.npz", "--json", "--jobs", "1"
    )
    assert code == 0
    assert json.loads(out) == {"file": str(tmp_path / "out.npz"), "embedded": 6, "failed": []}
    with np.load(tmp_path / "out.npz") as arrays:
        expected = [str(people / "cleo" / f"{clip}.wav") for clip in range(5)] + [str(people / "ada/1.wav")]
        assert arrays["paths"].tolist() == expected


def test_embed_of_nothing_readable_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "out.npz").write_bytes(b"earlier")
    code, out, err = run("embed", tmp_path / "missing.wav", "-o", tmp_path / "out.npz")
    assert code == 2 and not out
    assert "missing.wav does not exist" in err
    assert f"no file can be embedded (1 tried), so {tmp_path / 'out.npz'} is not written" in err
    assert (tmp_path / "out.npz").read_bytes() == b"earlier"


@pytest.mark.parametrize("arguments", [[], ["x.wav", "--list", "y"]])
def test_embed_needs_paths_or_a_list(tmp_path: Path, arguments: list[str]) -> None:
    assert run("embed", *arguments, "-o", tmp_path / "out.npz")[0] == 2


def test_embed_into_a_folder_that_does_not_exist_is_one_line(tmp_path: Path, people: Path) -> None:
    code, _, err = run("embed", people / "ada/0.wav", "-o", tmp_path / "no/out.npz")
    assert code == 2
    assert "No such file or directory; check the path" in err and err.count("\n") == 1


def test_doctor(tmp_path: Path) -> None:
    code, out, _ = run("doctor")
    assert code == 0
    assert "2 enrolled" in out
    assert json.loads(run("doctor", "--json")[1])["ok"]
    code, out, err = run("doctor", "--model", tmp_path / "nowhere", "--json")
    assert code == 2
    assert err.startswith("Error: ") and "failed: model" in err
    assert not json.loads(out)["ok"]
