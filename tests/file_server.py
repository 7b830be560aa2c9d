"""A server of one file on the loopback, as good or as bad as a test wants it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class FileServer:
    """What is served, how, and what was asked.

    Parameters
    ----------
    content : bytes
        The file.
    cuts : list of int
        After how many bytes the next connections are cut, one each; later ones are not.
    ranges : bool
        Whether a part can be asked for.
    status : int
        What is answered instead of the file, unless 200.
    """

    content: bytes
    cuts: list[int] = field(default_factory=list)
    ranges: bool = True
    status: int = 200
    address: str = ""
    asked: list[str] = field(default_factory=list)
    """The part that each request asked for; empty for the whole."""
    paths: list[str] = field(default_factory=list)


@contextmanager
def serving(content: bytes) -> Iterator[FileServer]:
    """Serve a file; what the server does can be changed meanwhile."""
    state = FileServer(content)

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  its name in the base
            pass

        def do_GET(self) -> None:
            part = self.headers.get("Range", "")
            state.asked.append(part)
            state.paths.append(self.path)
            if state.status != 200:
                self.send_error(state.status)
                return
            start = int(part.removeprefix("bytes=").rstrip("-")) if part and state.ranges else 0
            body = state.content[start:]
            self.send_response(206 if part and state.ranges else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            cut = state.cuts.pop(0) if state.cuts else len(body)
            self.wfile.write(body[:cut])
            self.close_connection = True

        def do_CONNECT(self) -> None:
            state.paths.append(self.path)
            self.send_error(502)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    state.address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
