"""A server of a folder's files on the loopback, which notes what it is asked and can go away."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass(slots=True)
class StaticServer:
    """A running server.

    Attributes
    ----------
    url : str
        Its address, without a slash at the end.
    asked : list of str
        Method and path of each request.
    """

    url: str
    server: ThreadingHTTPServer
    asked: list[str] = field(default_factory=list)

    def stop(self) -> None:
        """Answer nothing any more, as if it had never been there."""
        self.server.shutdown()
        self.server.server_close()


@contextmanager
def serving_files(folder: Path) -> Iterator[StaticServer]:
    """Serve a folder until the block ends, or the server is stopped before."""

    class Handler(SimpleHTTPRequestHandler):
        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            running.asked.append(f"{self.command} {self.path}")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  its name in the base
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=folder))
    server.daemon_threads = True
    running = StaticServer(url=f"http://localhost:{server.server_address[1]}", server=server)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield running
    finally:
        running.stop()
        thread.join()
