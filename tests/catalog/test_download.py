"""A download ends with the file that was wanted, or with nothing in its place and a word on why."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from file_server import FileServer, serving

from voiceprint.catalog.download import check_file, download
from voiceprint.errors import DownloadError

CONTENT = np.random.default_rng(0).bytes(900_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with serving(CONTENT) as found:
        yield found


def fetch(server: FileServer, folder: Path, *, sha256: str = SHA256, size: int = len(CONTENT)) -> Path:
    return download(f"{server.address}/some/encoder.onnx", folder, sha256=sha256, size=size)


def parts(folder: Path) -> list[int]:
    return [path.stat().st_size for path in folder.glob("*.part")]


def test_a_file_is_fetched_once(server: FileServer, tmp_path: Path) -> None:
    path = fetch(server, tmp_path / "new")
    assert path.read_bytes() == CONTENT
    assert path.name.endswith("-encoder.onnx")
    assert list(path.parent.iterdir()) == [path]
    assert fetch(server, tmp_path / "new") == path
    assert server.asked == [""]


def test_how_far_it_is_is_told(server: FileServer, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    server.cuts = [300_000]
    download(
        f"{server.address}/x",
        tmp_path,
        sha256=SHA256,
        size=len(CONTENT),
        progress=lambda *at: told.append(at),
    )
    assert told[0] == (0, len(CONTENT))
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_a_cut_connection_is_opened_again_where_it_was_cut(server: FileServer, tmp_path: Path) -> None:
    server.cuts = [100_000, 250_000, 5]
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    assert server.asked == ["", "bytes=100000-", "bytes=350000-", "bytes=350005-"]


def test_a_server_that_gives_nothing_more_is_left_and_gone_on_from_later(
    server: FileServer, tmp_path: Path
) -> None:
    server.cuts = [100_000, 0]
    with pytest.raises(
        DownloadError, match=r"ended after 100000 of 900000 bytes; what was fetched is gone on"
    ):
        fetch(server, tmp_path)
    assert parts(tmp_path) == [100_000]
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    assert server.asked[-1] == "bytes=100000-"


def test_a_server_that_knows_no_parts_gives_all_of_it(server: FileServer, tmp_path: Path) -> None:
    server.ranges = False
    server.cuts = [100_000]
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    assert server.asked == ["", "bytes=100000-"]


def test_another_file_is_refused_and_not_kept(server: FileServer, tmp_path: Path) -> None:
    server.content = bytes(len(CONTENT))
    with pytest.raises(DownloadError, match=r"is not the file of the catalog: its sha256 is .*nothing of it"):
        fetch(server, tmp_path)
    assert parts(tmp_path) == [0]
    server.content = CONTENT
    assert fetch(server, tmp_path).read_bytes() == CONTENT


def test_a_part_of_another_file_is_thrown_away(server: FileServer, tmp_path: Path) -> None:
    server.cuts = [100_000, 0]
    with pytest.raises(DownloadError):
        fetch(server, tmp_path)
    (part,) = tmp_path.glob("*.part")
    part.write_bytes(b"x" * 200_000)
    assert fetch(server, tmp_path).read_bytes() == CONTENT


def test_no_more_is_read_than_the_file_is_long(server: FileServer, tmp_path: Path) -> None:
    server.content = CONTENT + bytes(5_000_000)
    assert fetch(server, tmp_path).read_bytes() == CONTENT


def test_a_damaged_file_that_was_kept_is_fetched_again(server: FileServer, tmp_path: Path) -> None:
    path = fetch(server, tmp_path)
    path.write_bytes(b"damaged")
    assert fetch(server, tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("status", [403, 404, 416, 500])
def test_the_answer_of_the_server_is_told(server: FileServer, tmp_path: Path, status: int) -> None:
    server.status = status
    with pytest.raises(DownloadError, match=f"the server answers {status}"):
        fetch(server, tmp_path)


@pytest.mark.parametrize("address", ["http://127.0.0.1:1/x", "https://127.0.0.1:1/x"])
def test_a_server_that_is_not_there_is_told(address: str, server: FileServer, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"cannot be reached \(.*refused.*\); .*HTTPS_PROXY"):
        download(address, tmp_path, sha256=SHA256, size=10)


@pytest.mark.parametrize("address", ["nowhere", "ftp://127.0.0.1/x", "file:///etc/hostname", "data:,x"])
def test_what_is_no_address_is_told(address: str, server: FileServer, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="is no address of the web"):
        download(address, tmp_path, sha256=SHA256, size=10)


def test_a_proxy_is_asked(server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", server.address)
    monkeypatch.setenv("no_proxy", "")
    address = "http://models.invalid/encoder.onnx"
    assert download(address, tmp_path, sha256=SHA256, size=len(CONTENT)).read_bytes() == CONTENT
    assert server.paths == [address]


def test_a_proxy_of_secure_connections_is_asked(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", server.address)
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(DownloadError, match=r"cannot be reached \(.*502"):
        download("https://models.invalid/encoder.onnx", tmp_path, sha256=SHA256, size=len(CONTENT))
    assert server.paths == ["models.invalid:443"]


def test_several_at_once_all_get_it(server: FileServer, tmp_path: Path) -> None:
    with ThreadPoolExecutor(6) as pool:
        paths = list(pool.map(lambda _: fetch(server, tmp_path), range(6)))
    assert len(set(paths)) == 1
    assert paths[0].read_bytes() == CONTENT
    assert [path for path in tmp_path.iterdir() if path.suffix != ".part"] == [paths[0]]


_LIMITED = """
import resource, sys
from pathlib import Path
from voiceprint.catalog.download import download
from voiceprint.errors import DownloadError
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[4]), resource.RLIM_INFINITY))
try:
    download(sys.argv[1], Path(sys.argv[2]), sha256=sys.argv[3], size=900000)
except DownloadError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows limits no file's size")
def test_what_a_full_disk_held_is_gone_on_from(server: FileServer, tmp_path: Path) -> None:
    told = subprocess.run(
        [
            sys.executable,
            "-c",
            _LIMITED,
            f"{server.address}/some/encoder.onnx",
            str(tmp_path),
            SHA256,
            "500000",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "cannot be kept in" in told.stdout, told.stderr
    assert "1 MB; what was fetched is gone on from next time" in told.stdout
    assert 0 < parts(tmp_path)[0] <= 500_000
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    assert server.asked[-1] != ""


def test_a_folder_that_cannot_be_made_is_told(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DownloadError, match=r"cannot be kept in .*file"):
        fetch(server, tmp_path / "file" / "below")


def test_a_given_file_is_checked(tmp_path: Path) -> None:
    path = tmp_path / "encoder.onnx"
    with pytest.raises(DownloadError, match="cannot be read: No such file"):
        check_file(path, sha256=SHA256)
    path.write_bytes(b"another")
    with pytest.raises(DownloadError, match="is not the file of the catalog"):
        check_file(path, sha256=SHA256)
    path.write_bytes(CONTENT)
    check_file(path, sha256=SHA256)
