"""Kill a server while it enrolls and removes: what it acknowledged is there, and its log is whole."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path

from benchmarks.campaign.core import Attempt, BrokenPromiseError, Case
from benchmarks.campaign.program import require_clean, run
from benchmarks.campaign.serving import Server, form_of, serving
from benchmarks.campaign.world import IMPOSTOR, World, require_sound, state_of

__all__ = ["server_kills"]


@contextmanager
def server_kills(world: World, _folder: Path) -> Iterator[Attempt]:
    """Lend the attack."""
    clips = [world.clip(IMPOSTOR, number).read_bytes() for number in range(2)]

    def attempt(case: Case) -> str:
        draw, store = case.generator(), world.copy_store(case.folder)
        processes = str(int(draw.choice([1, 1, 2])))
        enrolled: dict[str, bool] = {}
        with serving(store, case.folder, "--processes", processes) as server:
            caller = threading.Thread(target=_change, args=(server, clips, enrolled))
            caller.start()
            time.sleep(float(draw.uniform(0.0, 2.0)))
            server.program.signal(signal.SIGKILL)
            caller.join(60)
        require_sound(store)
        people = state_of(store).people
        for name, there in enrolled.items():
            if (name in people) != there:
                raise BrokenPromiseError(f"acknowledged and lost: {name}, which should be there: {there}")
        require_clean(run(["audit", "verify", "--store", store], folder=case.folder / "audit"), codes=(0,))
        return f"{'some' if enrolled else 'nothing'} acknowledged"

    yield attempt


def _change(server: Server, clips: Sequence[bytes], enrolled: dict[str, bool]) -> None:
    """Enroll and remove until the server is gone; note what it acknowledged."""
    number = 0
    try:
        while True:
            number += 1
            name = f"number {number}"
            path = name.replace(" ", "%20")
            form, kind = form_of(*clips, name=name)
            if server.ask("POST", "/v1/speakers", form, kind=kind).status == 201:
                enrolled[name] = True
            if number % 3 == 0 and name in enrolled:
                del enrolled[name]  # from here on both are right
                if server.ask("DELETE", f"/v1/speakers/{path}").status == 204:
                    enrolled[name] = False
    except (OSError, HTTPException):
        return
