"""What the command line changes in a store whose server keeps an audit log stands in that log, too."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager

from voiceprint.server.audit import AuditLog
from voiceprint.server.settings import ServerSettings
from voiceprint.server.state import STATE_NAME, StateFile
from voiceprint.store.journal import Event

STATE_VARIABLE = "VOICEPRINT_SERVER_STATE"
"""Names the server's folder where it does not lie in the store's."""


def write_down(event: Event) -> None:
    """Add a change to the audit log of the store's server, where there is one.

    Raises
    ------
    ServerError
        If the log cannot be written; a change that is only asked for is then not made.
    """
    facts = {("speaker" if name in ("name", "old") else name): value for name, value in event.facts.items()}
    with existing_state(event.store) as file:
        if file is not None:
            AuditLog(file).append(
                event.action,
                **by_command(),
                speaker=facts.pop("speaker", None),
                **facts,
                outcome=event.outcome,
            )


@contextmanager
def existing_state(store: str | None) -> Iterator[StateFile | None]:
    """Open the file of a store's server; None where it has no server, which leaves none behind."""
    state = os.environ.get(STATE_VARIABLE) or None
    folder = ServerSettings(store=store, state=state).state_folder
    if not (folder / STATE_NAME).is_file():
        yield None
        return
    with closing(StateFile(folder)) as file:
        yield file


def by_command() -> dict[str, str]:
    """Return what stands in the log in the place of a key, where a command makes a change."""
    return {"key": "command line", "user": _user()}


def _user() -> str:
    """The name of the user who runs the command as the environment gives it, else the number.

    The system's list of users is not asked: that may go to a name service.
    """
    for variable in ("LOGNAME", "USER", "USERNAME"):
        if name := os.environ.get(variable):
            return name
    return str(os.getuid()) if hasattr(os, "getuid") else "unknown"
