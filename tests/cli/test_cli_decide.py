from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from typer.testing import CliRunner

from voiceprint.audio import read_audio
from voiceprint.cli import app
from voiceprint.engine.verifier import Verifier

runner = CliRunner()

VERIFY_KEYS = ["name", "accepted", "decision", "score", "llr", "threshold", "threshold_source"]
VERIFY_KEYS += ["seconds_of_speech", "model", "reason", "quality_notes", "shortfall", "replay", "spoof"]
VERIFY_KEYS += ["words"]


@pytest.fixture(autouse=True)
def _enrolled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model_folder: Path, people: Path) -> None:
    """Enroll ada and bert in the default store, and make the tiny model the default."""
    monkeypatch.setenv("VOICEPRINT_MODEL", str(model_folder))
    with Verifier(model=model_folder) as verifier:
        for name in ("ada", "bert"):
            verifier.enroll(name, [people / name / f"{clip}.wav" for clip in range(3)])


@pytest.fixture
def quiet(tmp_path: Path, wav: Callable[..., Path]) -> Path:
    return wav(tmp_path / "quiet.wav", np.full(32_000, 1e-3, dtype=np.float32))


def test_an_accepted_claim_exits_with_0(people: Path) -> None:
    result = runner.invoke(app, ["verify", "ada", str(people / "ada/3.wav")])
    assert result.exit_code == 0
    assert result.stdout.startswith("ada: accepted\nscore 0.")
    assert "reaches the threshold 0.880" in result.stdout
    assert "log-likelihood ratio +" in result.stdout


def test_a_recording_counts_once_and_the_answer_says_what_to_do(people: Path) -> None:
    clip, enrolled = str(people / "ada/3.wav"), str(people / "ada/0.wav")
    assert runner.invoke(app, ["verify", "ada", clip]).exit_code == 0
    for question, who in ((["verify", "ada"], "ada: "), (["identify"], "")):
        again = runner.invoke(app, [*question, clip])
        assert (again.exit_code, again.stdout.splitlines()[0]) == (1, f"{who}replayed")
        assert "was accepted before, on " in again.stdout
        assert "give --allow-replay" in again.stdout
        assert runner.invoke(app, [*question, clip, "--allow-replay"]).exit_code == 0
    known = json.loads(runner.invoke(app, ["verify", "ada", enrolled, "--json"]).stdout)
    assert (known["decision"], known["accepted"], known["replay"]["kind"]) == ("replayed", False, "enrolled")


def test_a_rejected_claim_exits_with_1(people: Path) -> None:
    result = runner.invoke(app, ["verify", "ada", str(people / "bert/3.wav")])
    assert result.exit_code == 1
    assert result.stdout.startswith("ada: rejected\n")


def test_too_little_speech_exits_with_2_and_gives_no_score(quiet: Path) -> None:
    result = runner.invoke(app, ["verify", "ada", str(quiet), "--json"])
    assert result.exit_code == 2
    answer = json.loads(result.stdout)
    assert answer["decision"] == "not_enough_speech"
    assert (answer["accepted"], answer["score"], answer["llr"]) == (False, None, None)
    assert runner.invoke(app, ["verify", "ada", str(quiet)]).stdout.startswith("ada: not enough speech\n")
    assert runner.invoke(app, ["identify", str(quiet)]).exit_code == 2
    assert runner.invoke(app, ["compare", str(quiet), str(quiet)]).exit_code == 2


def test_a_rate_that_is_not_promised_for_so_short_a_clip_gives_no_verdict(
    people: Path, tmp_path: Path
) -> None:
    samples, rate = sf.read(people / "ada/3.wav")
    short = tmp_path / "short.wav"
    sf.write(short, samples[: int(0.6 * rate)], rate)
    options = ["--far", "1e-9", "--min-speech", "0.1", "--json"]
    for command in (
        ["verify", "ada", str(short)],
        ["identify", str(short)],
        ["compare", str(short), str(short)],
    ):
        result = runner.invoke(app, [*command, *options])
        answer = json.loads(result.stdout)
        assert (result.exit_code, answer["decision"]) == (2, "not_enough_speech")
        assert answer["shortfall"]["far"] == 1e-9
        assert "too short for" in runner.invoke(app, [*command, *options[:-1]]).stdout


def test_the_json_of_verify(people: Path) -> None:
    result = runner.invoke(app, ["verify", "ada", str(people / "ada/3.wav"), "--json"])
    answer = json.loads(result.stdout)
    assert list(answer) == [*VERIFY_KEYS, "drift"]
    assert answer["drift"]["claims"] == 1.0  # this one
    assert (answer["name"], answer["accepted"], answer["decision"]) == ("ada", True, "accepted")
    assert answer["threshold"] == pytest.approx(0.88)


def test_verify_and_show_say_how_recent_claims_fit(people: Path) -> None:
    first = json.loads(runner.invoke(app, ["verify", "ada", str(people / "ada/3.wav"), "--json"]).stdout)
    second = json.loads(runner.invoke(app, ["verify", "ada", str(people / "ada/4.wav"), "--json"]).stdout)
    assert (second["drift"]["claims"], second["drift"]["recent"]) == (1.0, pytest.approx(first["llr"]))
    assert (second["drift"]["drifted"], second["drift"]["advice"]) == (False, "")
    shown = json.loads(runner.invoke(app, ["show", "ada", "--json"]).stdout)
    assert shown["drift"] == second["drift"]
    assert "recent accepted claims" in runner.invoke(app, ["show", "ada"]).stdout


@pytest.mark.parametrize(
    ("options", "threshold"),
    [(["--far", "0.001"], 0.92), (["--far", "0.05"], 0.84), (["--threshold", "0.3"], 0.3)],
)
def test_another_operating_point_can_be_chosen(people: Path, options: list[str], threshold: float) -> None:
    result = runner.invoke(app, ["verify", "ada", str(people / "ada/3.wav"), "--json", *options])
    assert json.loads(result.stdout)["threshold"] == pytest.approx(threshold)


@pytest.mark.parametrize("command", [["verify", "ada"], ["compare", "x.wav"]])
def test_two_operating_points_at_once_are_a_usage_error(command: list[str]) -> None:
    result = runner.invoke(app, [*command, "clip.wav", "--far", "0.01", "--threshold", "0.5"])
    assert result.exit_code == 2
    assert "--far is 0.01; it must be left out where --threshold is given" in result.stderr


def test_a_clip_may_come_from_standard_input(people: Path) -> None:
    data = (people / "ada/3.wav").read_bytes()
    assert runner.invoke(app, ["verify", "ada", "-"], input=data).exit_code == 0


def test_identify_names_the_person_or_nobody(people: Path) -> None:
    known = runner.invoke(app, ["identify", str(people / "bert/3.wav")])
    assert known.exit_code == 0
    assert known.stdout.startswith("bert: identified\n")
    unknown = runner.invoke(app, ["identify", str(people / "cleo/3.wav")])
    assert unknown.exit_code == 1
    assert unknown.stdout.startswith("unknown\n")


def test_the_json_of_identify(people: Path) -> None:
    result = runner.invoke(app, ["identify", str(people / "bert/3.wav"), "--json", "--top", "1"])
    answer = json.loads(result.stdout)
    assert (answer["decision"], answer["name"]) == ("identified", "bert")
    (match,) = answer["matches"]
    assert list(match) == ["name", "score", "llr"]


def test_compare_needs_nobody_enrolled(people: Path, tmp_path: Path) -> None:
    same = runner.invoke(app, ["compare", str(people / "cleo/0.wav"), str(people / "cleo/1.wav"), "--json"])
    assert (same.exit_code, json.loads(same.stdout)["decision"]) == (0, "same")
    other = runner.invoke(app, ["compare", str(people / "cleo/0.wav"), str(people / "ada/1.wav")])
    assert (other.exit_code, other.stdout.splitlines()[0]) == (1, "different")


def error(*arguments: object) -> str:
    result = runner.invoke(app, [*map(str, arguments)])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    return result.stderr


def test_bad_input_is_one_line_that_says_what_and_which(people: Path, tmp_path: Path) -> None:
    clip = people / "ada/3.wav"
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "random.wav").write_bytes(bytes(range(256)) * 40)
    (tmp_path / "photo.wav").write_bytes(b"\xff\xd8\xff\xe0" + bytes(2000))
    (tmp_path / "voice.m4a").write_bytes(b"\x00\x00\x00\x18ftypM4A " + bytes(2000))
    assert "'eve'" in error("verify", "eve", clip)
    assert "missing.wav does not exist" in error("verify", "ada", tmp_path / "missing.wav")
    assert "empty.wav is empty" in error("verify", "ada", tmp_path / "empty.wav")
    assert "random.wav" in error("verify", "ada", tmp_path / "random.wav")
    assert "photo.wav is a JPEG image" in error("identify", tmp_path / "photo.wav")
    assert "was never finished" in error("compare", tmp_path / "voice.m4a", clip)
    assert "is a folder" in error("verify", "ada", people)
    assert "the name is empty" in error("verify", " ", clip)
    assert "no such model folder" in error("verify", "ada", clip, "--model", tmp_path / "nowhere")
    assert "nowhere" in error("verify", "ada", clip, "--store", tmp_path / "nowhere")


def test_a_rejection_says_what_is_wrong_with_the_clip(
    people: Path, tmp_path: Path, wav: Callable[..., Path]
) -> None:
    samples = read_audio(people / "bert/3.wav").samples
    quiet = wav(tmp_path / "far away.wav", 0.001 * samples / np.abs(samples).max())
    result = runner.invoke(app, ["verify", "ada", str(quiet)])
    assert result.exit_code == 1
    assert "the clip: very quiet" in result.stdout
    answer = json.loads(runner.invoke(app, ["verify", "ada", str(quiet), "--json"]).stdout)
    assert "quiet" in [note["code"] for note in answer["quality_notes"]]
    compared = runner.invoke(app, ["compare", str(people / "ada/3.wav"), str(quiet)])
    assert compared.exit_code == 1
    assert "the second clip: very quiet" in compared.stdout
    assert "the first clip: very quiet" not in compared.stdout
    assert "very quiet" in runner.invoke(app, ["identify", str(quiet), "--threshold", "1"]).stdout


def test_of_two_people_on_two_channels_one_is_chosen(
    people: Path, tmp_path: Path, wav: Callable[..., Path]
) -> None:
    ada, bert = (read_audio(people / clip).samples for clip in ("ada/3.wav", "bert/4.wav"))
    length = min(len(ada), len(bert))
    call = wav(tmp_path / "call.wav", np.stack([ada[:length], bert[:length]], axis=1))
    assert "say which one to take with --channel" in error("verify", "ada", call)
    for channel, code in (("1", 0), ("2", 1)):
        assert runner.invoke(app, ["verify", "ada", str(call), "--channel", channel]).exit_code == code
    assert "there is no channel 3" in error("verify", "ada", call, "--channel", "3")
    assert "--channel is 0" in error("identify", call, "--channel", "0")
    enrolled = runner.invoke(app, ["enroll", "caller", str(call), "--channel", "2", "--min-speech", "0.5"])
    assert enrolled.exit_code == 0
