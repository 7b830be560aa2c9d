"""Keys, audit log and requests of a backup, beside those that are there: no entry, no revocation is lost."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from voiceprint.errors import ServerError
from voiceprint.files.whole import sync_folder
from voiceprint.server.audit import AuditLog, AuditRecord
from voiceprint.server.challenges import ChallengeBook
from voiceprint.server.idempotency import finished_requests, forget_requests
from voiceprint.server.keys import KeyRing
from voiceprint.server.state import STATE_NAME, StateFile
from voiceprint.store import EnrollmentStore
from voiceprint.store.files import make_private_folder


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerMark:
    """How far a server's file was at a moment.

    Attributes
    ----------
    seq : int
        Of the last entry of the audit log.
    requests : frozenset
        Of `finished_requests`.
    """

    seq: int = 0
    requests: frozenset[tuple[str, str, float]] = frozenset()

    @classmethod
    def of(cls, folder: Path) -> ServerMark:
        """Look into the file of a folder."""
        with closing(StateFile(folder)) as state:
            last = AuditLog(state).last()
            return cls(seq=0 if last is None else last.seq, requests=finished_requests(state))


def settle(copied: Path, mark: ServerMark, store: EnrollmentStore) -> None:
    """Make copies of a server's file and of a store agree that were made one after the other.

    The store's was made first. Whoever was removed or opted out meanwhile goes from it. Of the requests only
    those stay that were made before: to repeat a later one has to make it again.

    Parameters
    ----------
    copied : Path
        The folder of the server's copy.
    mark : ServerMark
        Of before the store was copied.
    """
    with closing(StateFile(copied)) as state:
        taken_back = _taken_back(state, after=mark.seq)
        forget_requests(state, but=mark.requests)
        ChallengeBook(state).forget()
    take_back(store, taken_back)


def take_back(store: EnrollmentStore, taken_back: TakenBack) -> TakenBack:
    """Remove and opt out in a store; returns who of them was in it."""
    found = TakenBack(
        removed=tuple(name for name in taken_back.removed if name in store),
        opted_out=tuple(name for name in taken_back.opted_out if name in store),
    )
    for name in taken_back.opted_out:
        store.opt_out(name)
    for name in found.removed:
        store.remove(name)
    return found


def restore_server(copied: Path, folder: Path, *, trust_keys: bool) -> RestoredServer:
    """Put the server's file of a backup where there is none.

    One that is there goes on, but forgets the requests that were made after the backup: what they changed is
    undone, and a client that repeats one is not told that it was made.

    Parameters
    ----------
    copied : Path
        The unpacked file; moved to its place.
    folder : Path
        The server's.
    trust_keys : bool
        Leave keys in force; otherwise they are revoked, for nobody knows which were after the backup.
    """
    if (folder / STATE_NAME).exists():
        known = ServerMark.of(copied.parent) if copied.exists() else ServerMark()
        with closing(StateFile(folder)) as present:
            forget_requests(present, but=known.requests)
            entries = AuditLog(present).verify().entries
        outcome = "none" if not copied.exists() else "kept" if _goes_on(copied, folder) else "another"
        return RestoredServer(outcome=outcome, n_audit=entries)
    if not copied.exists():
        return RestoredServer(outcome="none")
    with closing(StateFile(copied.parent)) as state:
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
    with closing(StateFile(folder)) as present:
        return _taken_back(present, after=0 if last is None else last.seq)


def _taken_back(state: StateFile, *, after: int) -> TakenBack:
    latest: dict[str, str] = {}
    for record in AuditLog(state).records(after=after):
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
    with closing(StateFile(folder)) as present:
        there = next(AuditLog(present).records(after=last.seq - 1), None)
    return there == last


def _last(copied: Path) -> AuditRecord | None:
    if not copied.exists():
        return None
    with closing(StateFile(copied.parent)) as state:
        return AuditLog(state).last()
