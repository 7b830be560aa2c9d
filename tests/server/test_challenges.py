"""Challenges over HTTP: words to say, answered once, in time, by whoever was asked, and written down."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
from numpy.typing import NDArray
from starlette.testclient import TestClient
from tiny_words import saying

from voiceprint.challenge import WORDS
from voiceprint.errors import ChallengeError
from voiceprint.server.challenges import ChallengeBook, challenge_hash
from voiceprint.server.keys import KeyRing
from voiceprint.server.settings import ServerSettings
from voiceprint.server.state import STATE_NAME, StateFile

VERIFY = "/v1/speakers/ada/verify"
Voice = Callable[..., NDArray[np.float32]]
Serve = Callable[..., Any]


@pytest.fixture
def asking(
    serve: Serve, form: Callable[..., list[Any]], hears_tones: None
) -> Iterator[Callable[..., TestClient]]:
    """``asking(**settings)``: a server on which ada is enrolled, and which hears words in tones."""
    with serve(allow_replay=False) as client:
        client.post("/v1/speakers", data={"name": "ada"}, files=form("ada", 0, 1, 2))
        yield client


def wav(samples: NDArray[np.float32]) -> bytes:
    buffer = io.BytesIO()
    sf.write(buffer, samples, 16_000, format="WAV")
    return buffer.getvalue()


def answered(
    client: TestClient, challenge: str | None, clip: bytes, *, key: str | None = None, **headers: str
) -> Any:
    headers |= {} if key is None else {"Idempotency-Key": key}
    data = {} if challenge is None else {"challenge": challenge}
    return client.post(VERIFY, data=data, files={"clip": ("a.wav", clip)}, headers=headers)


def entries(client: TestClient) -> list[dict[str, Any]]:
    log = client.app.state.engine.audit  # type: ignore[attr-defined]
    return [json.loads(record.entry) for record in log.records()]


def test_who_says_the_words_is_accepted_and_who_says_others_is_not(asking: TestClient, voice: Voice) -> None:
    first, second = (asking.post("/v1/challenges").json() for _ in range(2))
    assert len(first["words"]) == 4 and set(first["words"]) <= set(WORDS)
    said = answered(asking, first["id"], wav(saying(voice("ada", 70), first["words"]))).json()
    assert (said["decision"], said["accepted"]) == ("accepted", True)
    assert said["words"]["score"] >= said["words"]["threshold"]
    other = answered(asking, second["id"], wav(saying(voice("ada", 71), second["words"][::-1]))).json()
    assert (other["decision"], other["accepted"]) == ("wrong_words", False)
    assert other["words"]["score"] < other["words"]["threshold"]
    assert 'decision="wrong_words"} 1' in asking.get("/metrics").text


def test_a_challenge_is_used_up_whatever_came_of_it(asking: TestClient, voice: Voice) -> None:
    asked = asking.post("/v1/challenges").json()
    assert answered(asking, asked["id"], wav(voice("ada", 70))).json()["decision"] == "wrong_words"
    again = answered(asking, asked["id"], wav(saying(voice("ada", 71), asked["words"])))
    assert (again.status_code, again.json()["type"]) == (409, "urn:voiceprint:challenge-over")
    for unknown in ("x", "", "\x00", "ü" * 50):
        assert answered(asking, unknown, wav(voice("ada", 72))).status_code == 409
    assert answered(asking, "x" * 101, wav(voice("ada", 72))).status_code == 422


def test_the_challenge_is_for_the_key_that_asked(asking: TestClient, voice: Voice) -> None:
    engine = asking.app.state.engine  # type: ignore[attr-defined]
    _, other = engine.keys.create(["verify"])
    asked = asking.post("/v1/challenges").json()
    clip = wav(saying(voice("ada", 70), asked["words"]))
    assert answered(asking, asked["id"], clip, Authorization=f"Bearer {other}").status_code == 409
    assert answered(asking, asked["id"], clip).json()["accepted"]


def test_a_request_that_comes_again_with_its_key_is_answered_again(asking: TestClient, voice: Voice) -> None:
    asked = asking.post("/v1/challenges").json()
    clip = wav(saying(voice("ada", 70), asked["words"]))
    for _ in range(2):
        assert answered(asking, asked["id"], clip, key="one").json()["decision"] == "accepted"
    other = wav(saying(voice("ada", 71), asked["words"]))
    assert answered(asking, asked["id"], other, key="one").status_code == 422
    assert answered(asking, asked["id"], other, key="two").status_code == 409


def test_a_refused_request_gives_no_second_try_with_another_clip(asking: TestClient, voice: Voice) -> None:
    asked = asking.post("/v1/challenges").json()
    assert answered(asking, asked["id"], wav(voice("ada", 70)), key="one").json()["decision"] == "wrong_words"
    right = wav(saying(voice("ada", 71), asked["words"]))
    assert answered(asking, asked["id"], right, key="one").status_code == 409


def test_where_challenges_are_needed_there_is_no_way_around_them(
    serve: Serve, form: Callable[..., list[Any]], hears_tones: None, voice: Voice
) -> None:
    with serve(challenge=True) as client:
        client.post("/v1/speakers", data={"name": "ada"}, files=form("ada", 0, 1, 2))
        assert client.get("/v1/access").json()["challenge_needed"]
        clip = wav(voice("ada", 70))
        for refused in (answered(client, None, clip), client.post(VERIFY, content=clip)):
            assert (refused.status_code, refused.json()["type"]) == (422, "urn:voiceprint:challenge-needed")
        with client.websocket_connect("/v1/listen") as socket:
            socket.send_json({"claim": "ada"})
            assert socket.receive_json()["type"] == "urn:voiceprint:challenge-needed"
        asked = client.post("/v1/challenges").json()
        assert answered(client, asked["id"], wav(saying(voice("ada", 71), asked["words"]))).json()["accepted"]
        assert client.post("/v1/identify", content=clip).json()["decision"] == "identified"


def test_all_of_it_is_in_the_audit_log_but_for_ids_and_words(asking: TestClient, voice: Voice) -> None:
    asked = asking.post("/v1/challenges").json()
    clip = wav(saying(voice("ada", 70), asked["words"]))
    answered(asking, asked["id"], clip)
    answered(asking, asked["id"], clip)
    place = challenge_hash(asked["id"])
    told = [entry for entry in entries(asking) if entry.get("challenge") == place]
    assert [entry["action"] for entry in told] == ["challenge", "verify", "verify"]
    assert [told[1]["decision"], told[2]["outcome"], told[2]["why"]] == ["accepted", "refused", "challenge"]
    log = json.dumps(entries(asking))
    assert asked["id"] not in log and " ".join(asked["words"]) not in log
    assert asked["id"].encode() not in state_bytes(asking)


def state_bytes(client: TestClient) -> bytes:
    folder: Path = client.app.state.engine.settings.state_folder  # type: ignore[attr-defined]
    return b"".join(path.read_bytes() for path in folder.glob(f"{STATE_NAME}*"))


def test_who_may_not_verify_gets_no_words(asking: TestClient) -> None:
    engine = asking.app.state.engine  # type: ignore[attr-defined]
    _, other = engine.keys.create(["metrics"])
    assert asking.post("/v1/challenges", headers={"Authorization": f"Bearer {other}"}).status_code == 403
    assert asking.post("/v1/challenges", headers={"Authorization": ""}).status_code == 401
    assert asking.post("/v1/challenges?seconds=9999").status_code == 422


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateFile]:
    opened = StateFile(tmp_path / "state")
    yield opened
    opened.close()


def test_a_challenge_expires_and_is_swept(state: StateFile) -> None:
    now = [1e9]
    book = ChallengeBook(state, clock=lambda: now[0])
    asked, late = book.issue("a"), book.issue("a")
    now[0] += 59.0
    assert book.redeem(asked.id, caller="a", request=b"1") == asked.words
    now[0] += 1.0
    for each in (asked, late):
        with pytest.raises(ChallengeError):
            book.redeem(each.id, caller="a", request=b"1")
    book.issue("a")
    with state.reading() as connection:
        assert connection.execute("SELECT count(*) FROM challenges").fetchone()[0] == 1


def test_one_caller_cannot_fill_the_disk_nor_take_the_room_of_another(
    state: StateFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voiceprint.server.challenges._MOST", 3)
    now = [1e9]
    book = ChallengeBook(state, clock=lambda: now[0])
    theirs = book.issue("b")
    mine = []
    for _ in range(5):
        now[0] += 1.0
        mine.append(book.issue("a"))
    open_still: list[tuple[str, ...] | None] = []
    for each in mine:
        try:
            open_still.append(book.redeem(each.id, caller="a", request=b"1"))
        except ChallengeError:
            open_still.append(None)
    assert open_still == [None, None, *(each.words for each in mine[2:])]
    assert book.redeem(theirs.id, caller="b", request=b"1") == theirs.words


def test_a_damaged_challenge_is_none(state: StateFile) -> None:
    book = ChallengeBook(state)
    asked = book.issue("a")
    with state.writing() as connection:
        connection.execute("UPDATE challenges SET words = 'cat cat cat cat'")
    with pytest.raises(ChallengeError):
        book.redeem(asked.id, caller="a", request=b"1")


def test_of_many_that_answer_at_once_one_is_heard(tmp_path: Path) -> None:
    files = [StateFile(tmp_path / "state") for _ in range(4)]
    books = [ChallengeBook(file) for file in files]

    def redeem(number: int, challenge_id: str) -> bool:
        try:
            return bool(books[number].redeem(challenge_id, caller="a", request=bytes([number])))
        except ChallengeError:
            return False

    with ThreadPoolExecutor(4) as threads:
        for _ in range(10):
            asked = books[0].issue("a")
            assert sum(threads.map(redeem, range(4), [asked.id] * 4)) == 1
    for file in files:
        file.close()


_DYING = """
import os, signal, sys
from pathlib import Path
from voiceprint.server.challenges import ChallengeBook
from voiceprint.server.state import StateFile

ChallengeBook(StateFile(Path(sys.argv[1]))).redeem(sys.argv[2], caller="a", request=b"1")
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX's")
def test_a_challenge_stays_used_up_where_the_process_is_killed(state: StateFile) -> None:
    book = ChallengeBook(state)
    asked = book.issue("a")
    folder = str(state.path.parent)
    done = subprocess.run([sys.executable, "-c", _DYING, folder, asked.id], check=False, timeout=120)
    assert done.returncode == -signal.SIGKILL
    with pytest.raises(ChallengeError):
        book.redeem(asked.id, caller="a", request=b"2")
    assert book.redeem(asked.id, caller="a", request=b"1") == asked.words


def test_a_file_of_an_older_version_gets_room_for_challenges(state: StateFile) -> None:
    _, secret = KeyRing(state).create(["verify"])
    with state.writing() as connection:
        connection.execute("DROP TABLE challenges")
        connection.execute("PRAGMA user_version = 3")
    again = StateFile(state.path.parent)
    asked = ChallengeBook(again).issue("a")
    assert ChallengeBook(again).redeem(asked.id, caller="a", request=b"1") == asked.words
    assert KeyRing(again).find(secret) is not None
    again.close()


def test_the_setting_reaches_other_processes() -> None:
    settings = ServerSettings(challenge=True)
    assert ServerSettings.from_json(settings.to_json()).challenge
