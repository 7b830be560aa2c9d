"""Workers: the processes of one server, what they share, and how they end."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from uvicorn.config import Config
from uvicorn.supervisors import Multiprocess

_log = logging.getLogger(__name__)


class Load:
    """How busy the processes of a server are, so that a connection can move from a busy one to an idle one.

    A client keeps its connections open, and each stays with the process that took it. So all of them may be
    with one process, while another has nothing to do. They share in `folder` how busy they are.
    Without one there is only this process.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._path = None if folder is None else folder / f"{os.getpid()}.load"
        self._own: NDArray[np.int64] = (
            np.zeros(1, dtype=np.int64)
            if self._path is None
            else np.memmap(self._path, dtype=np.int64, mode="w+", shape=(1,))
        )

    def report(self, requests: int) -> None:
        """Tell the others how many requests this process has."""
        self._own[0] = requests

    @property
    def others_idle(self) -> bool:
        """Whether another process has nothing to do."""
        if self._folder is None:
            return False
        others = (path for path in self._folder.glob("*.load") if path != self._path)
        return any(not any(_bytes(path)) for path in others)

    def close(self) -> None:
        """Leave."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # it has left
        return b"\xff"


class Supervisor(Multiprocess):
    """uvicorn's supervisor, which says so when a worker dies, and takes it from the others' lists."""

    def __init__(self, config: Config, sockets: list[object], *, folder: Path) -> None:
        super().__init__(config, sockets)  # type: ignore[arg-type]
        self._folder = folder

    def keep_subprocess_alive(self) -> None:
        """Start another worker in the place of each that died."""
        before = list(self.processes)
        super().keep_subprocess_alive()
        for process in before:
            if process not in self.processes:
                (self._folder / f"{process.pid}.load").unlink(missing_ok=True)
                _log.error(
                    "worker %s died (exit code %s); another was started", process.pid, process.exitcode
                )


def end_with_parent() -> None:
    """Let this process end in an orderly way when the one that started it has died."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        _log.error("the parent process died; worker %s ends", os.getpid())
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="parent", daemon=True).start()
