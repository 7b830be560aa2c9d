"""Keys and audit log of a backup, beside those that are there: no entry and no revocation is lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from voiceprint.errors import ServerError
from voiceprint.files.whole import sync_folder
from voiceprint.server.audit import AuditLog, AuditRecord
from voiceprint.server.keys import KeyRing
from voiceprint.server.state import STATE_NAME, StateFile
from voiceprint.store.files import make_private_folder

__all__ = ["RestoredServer", "TakenBack", "restore_server", "taken_back_since"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoredServer:
    """What became of the server's keys and audit log.

    Attributes
    ----------
    outcome : {"none", "kept", "another", "restored"}
        The backup holds none; those that were there go on; those that were there are of another server, and
        go on all the same; or those of the backup are there now.
    n_audit : int
        Entries of the log.
    in_force, refused : tuple of str
        Ids of restored keys that are in force, and of those that are not any more.
    """

    outcome: str
    n_audit: int = 0
    in_force: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenBack:
    """Whom a log says to have been removed, and to have opted out, after a backup; enrolled again counts."""

    removed: tuple[str, ...] = ()
    opted_out: tuple[str, ...] = ()


def restore_server(copied: Path, folder: Path, *, trust_keys: bool) -> RestoredServer:
    """Put the server's file of a backup where there is none.

    Parameters
    ----------
    copied : Path
        The unpacked file; moved to its place.
    folder : Path
        The server's.
    trust_keys : bool
        Leave keys in force; otherwise they are revoked, for nobody knows which were after the backup.
    """
    if not copied.exists():
        return RestoredServer(outcome="none")
    if (folder / STATE_NAME).exists():
        with _opened(folder) as present:
            entries = AuditLog(present).verify().entries
        return RestoredServer(outcome="kept" if _goes_on(copied, folder) else "another", n_audit=entries)
    with _opened(copied.parent) as state:
        ring = KeyRing(state)
        in_force = [key.id for key in ring.all() if key.revoked is None]
        for key_id in [] if trust_keys else in_force:
            ring.revoke(key_id)
        entries = AuditLog(state).append("restore-keys", revoked=[] if trust_keys else in_force).seq
    try:
        make_private_folder(folder)
        copied.replace(folder / STATE_NAME)
        sync_folder(folder)
    except OSError as error:
        raise ServerError(f"cannot write {folder / STATE_NAME}: {error.strerror}") from error
    kept, refused = (in_force, []) if trust_keys else ([], in_force)
    return RestoredServer(outcome="restored", n_audit=entries, in_force=tuple(kept), refused=tuple(refused))


def taken_back_since(copied: Path, folder: Path) -> TakenBack:
    """Return who was removed or opted out after a backup, as far as a log says that goes on from there.

    Parameters
    ----------
    copied : Path
        The server's file of the backup; where there was none, all of the log is newer.
    """
    if not (folder / STATE_NAME).exists() or (copied.exists() and not _goes_on(copied, folder)):
        return TakenBack()
    last = _last(copied)
    latest: dict[str, str] = {}
    with _opened(folder) as present:
        for record in AuditLog(present).records(after=0 if last is None else last.seq):
            entry = json.loads(record.entry)
            if entry.get("outcome") == "done" and isinstance(entry.get("speaker"), str):
                latest[entry["speaker"]] = str(entry["action"])
    return TakenBack(
        removed=tuple(name for name, action in latest.items() if action == "remove"),
        opted_out=tuple(name for name, action in latest.items() if action == "opt-out"),
    )


def _goes_on(copied: Path, folder: Path) -> bool:
    """Whether a log has the last entry of a copy: it is the same log, and as new or newer."""
    last = _last(copied)
    if last is None:
        return True
    with _opened(folder) as present:
        there = next(AuditLog(present).records(after=last.seq - 1), None)
    return there == last


def _last(copied: Path) -> AuditRecord | None:
    if not copied.exists():
        return None
    with _opened(copied.parent) as state:
        return AuditLog(state).last()


@contextmanager
def _opened(folder: Path) -> Iterator[StateFile]:
    state = StateFile(folder)
    try:
        yield state
    finally:
        state.close()
