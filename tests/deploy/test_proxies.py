"""The server behind nginx and behind Caddy, by the examples of docs/deploy."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import soundfile as sf

from voiceprint.client import Client, ProblemError
from voiceprint.server.keys import SCOPES, KeyRing
from voiceprint.server.settings import ServerSettings
from voiceprint.server.state import StateFile

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="127.0.0.2 is another address on Linux alone")

DEPLOY = Path(__file__).parents[2] / "docs/deploy"
_FRESH = 60.0  # seconds for programs to start


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """A server behind a proxy: the proxy's port, a key, whom to trust, and the server's store."""

    port: int
    key: str
    tls: ssl.SSLContext
    store: Path

    def client(self) -> Client:
        return Client(f"https://localhost:{self.port}", key=self.key, tls=self.tls, patience=_FRESH)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def program(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


@contextmanager
def running(command: list[str], log: Path, **environment: str) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env={**os.environ, **environment})
        try:
            yield
        finally:
            process.terminate()
            process.wait(60)


@contextmanager
def nginx(folder: Path, upstream: int) -> Iterator[tuple[int, Path]]:
    """Run nginx by the example; its port, and the certificate to trust."""
    port, key, certificate = free_port(), folder / "key.pem", folder / "certificate.pem"
    making = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    files = ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([program("openssl"), *making, *files], check=True, capture_output=True)
    site = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
    for written, here in {
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        "server_name voice.example.org": "server_name localhost",
        "/etc/ssl/voice.example.org.pem": str(certificate),
        "/etc/ssl/private/voice.example.org.key": str(key),
        "/var/log/nginx/voiceprint.log": str(folder / "site.log"),
        "http://127.0.0.1:8765": f"http://127.0.0.1:{upstream}",
    }.items():
        assert written in site, written
        site = site.replace(written, here)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = "\n".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    text = (
        f"daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;\n"
        f"events {{}}\nhttp {{\n{places}\n{site}\n}}\n"
    )
    (folder / "whole.conf").write_text(text, encoding="utf-8")
    command = [program("nginx"), "-e", str(folder / "error.log"), "-c", str(folder / "whole.conf")]
    with running(command, folder / "nginx.log"):
        yield port, certificate


@contextmanager
def caddy(folder: Path, upstream: int) -> Iterator[tuple[int, Path]]:
    """Run Caddy by the example, with a certificate of its own making."""
    port = free_port()
    site = (DEPLOY / "Caddyfile").read_text(encoding="utf-8")
    assert site.count("\nvoice.example.org {") == 1
    site = site.replace("\nvoice.example.org {", f"\nlocalhost:{port} {{")
    options = "{\n\tadmin off\n\tskip_install_trust\n\tauto_https disable_redirects\n}\n"
    (folder / "Caddyfile").write_text(options + site, encoding="utf-8")
    home = {name: str(folder) for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
    command = [program("caddy"), "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]
    with running(command, folder / "caddy.log", **home, VOICEPRINT_UPSTREAM=f"127.0.0.1:{upstream}"):
        root = folder / "caddy/pki/authorities/local/root.crt"
        _wait_for_port(port)
        yield port, root


def _wait_for_port(port: int) -> None:
    """Connect until somebody listens; a client waits for a server as long as it has patience."""
    with Client(f"http://localhost:{port}", patience=_FRESH) as client, pytest.raises(ProblemError):
        client.model()  # it is no HTTPS, which whoever listens says


@pytest.fixture(scope="module", params=[nginx, caddy], ids=["nginx", "caddy"])
def behind(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, model_folder: Path
) -> Iterator[Behind]:
    proxy: Callable[..., Iterator[tuple[int, Path]]] = request.param
    program(request.param.__name__)
    folder = tmp_path_factory.mktemp("proxy")
    store = folder / "store"
    state = StateFile(ServerSettings(store=str(store)).state_folder)
    _, key = KeyRing(state).create(SCOPES)
    state.close()
    upstream = free_port()
    serve = [sys.executable, "-m", "voiceprint", "serve", "--port", str(upstream), "--proxy", "127.0.0.1"]
    places = ["--store", str(store), "--model", str(model_folder)]
    with running([*serve, *places], folder / "server.log"):
        with Client(f"http://127.0.0.1:{upstream}", patience=_FRESH) as direct:
            assert direct.ready()
        with proxy(folder, upstream) as (port, authority):  # type: ignore[attr-defined]
            tls = ssl.create_default_context(cafile=str(authority))
            yield Behind(port=port, key=key, tls=tls, store=store)


def test_every_kind_of_request_passes(behind: Behind, people: Path) -> None:
    name = "Ada / Zoë"  # a slash in a path stays encoded on the way
    with behind.client() as client:
        assert client.ready()
        made = client.enroll(name, [people / "ada" / f"{clip}.wav" for clip in range(3)])
        assert made.speaker.name == name
        assert client.verify(name, people / "ada" / "3.wav")
        assert client.diarize(people / "ada" / "0.wav").over
        samples = sf.read(people / "ada" / "3.wav", dtype="int16")[0]
        chunks = (samples[start : start + 1600] for start in range(0, len(samples), 1600))
        assert [event.event for event in client.listen(chunks, claim=name)][-1] == "decided"
        client.remove(name)


def test_a_body_that_is_too_large_is_refused_as_such(behind: Behind, tmp_path: Path) -> None:
    large = tmp_path / "large.wav"
    large.write_bytes(bytes(20 << 20))
    with behind.client() as client, pytest.raises(ProblemError) as caught:
        client.quality(large)
    assert caught.value.status == 413


def test_the_audit_log_has_the_clients_address_whatever_the_client_claims(behind: Behind) -> None:
    connection = http.client.HTTPSConnection(
        "localhost", behind.port, context=behind.tls, source_address=("127.0.0.2", 0), timeout=60
    )
    headers = {"X-Forwarded-For": "6.6.6.6", "Authorization": f"Bearer {behind.key}"}
    connection.request("DELETE", "/v1/speakers/nobody", headers=headers)
    assert connection.getresponse().status == 404
    connection.close()
    export = [sys.executable, "-m", "voiceprint", "audit", "export", "--store", str(behind.store)]
    lines = subprocess.run(export, capture_output=True, text=True, check=True).stdout.splitlines()
    entries = [json.loads(json.loads(line)["entry"]) for line in lines]
    addresses = [entry["address"] for entry in entries if entry.get("speaker") == "nobody"]
    assert addresses
    assert set(addresses) == {"127.0.0.2"}
