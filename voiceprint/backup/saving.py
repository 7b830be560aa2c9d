"""A backup is made: everything as it is now, while a server runs and writes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from voiceprint.backup.archive import write_archive
from voiceprint.backup.places import SERVER, state_folder_of, store_folder
from voiceprint.backup.server_state import ServerMark, settle
from voiceprint.engine.tuning import TUNING_FILE
from voiceprint.errors import ServerError, StoreDamagedError, StoreError, StoreExistsError
from voiceprint.files.workspace import private_workspace
from voiceprint.server.audit import AuditLog
from voiceprint.server.keys import KeyRing
from voiceprint.server.state import STATE_NAME, StateFile
from voiceprint.store import EnrollmentStore, StoreAddress
from voiceprint.store.files import make_private_folder, write_private
from voiceprint.store.journal import reporting
from voiceprint.store.sqlite.copies import copy_database
from voiceprint.store.sqlite.faults import DATABASE_NAME

_SAVING = ".voiceprint-backup-"
_EARLIER = "earlier"
"""The folder of the server's file as it was before the voiceprints were copied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupReport:
    """What a backup holds.

    Attributes
    ----------
    path : Path
    created : datetime
        UTC.
    n_speakers, n_opt_outs : int
    model_id : str or None
        The model of the voiceprints; the model itself is not in the backup.
    n_keys, n_audit : int
        API keys, revoked ones too, and entries of the audit log; 0 where there is no server.
    tuned : bool
        Whether it holds thresholds of the store's own.

    Examples
    --------
    >>> from pathlib import Path
    >>> from voiceprint.backup import write_backup
    >>> report = write_backup(Path("report.vpbackup"), store="enrollments")
    >>> report.n_speakers, report.n_opt_outs, report.n_keys, report.tuned
    (2, 0, 0, False)
    """

    path: Path
    created: datetime
    n_speakers: int
    n_opt_outs: int
    model_id: str | None
    n_keys: int = 0
    n_audit: int = 0
    tuned: bool = False


def write_backup(
    path: Path, *, store: StoreAddress | None = None, state: Path | None = None, overwrite: bool = False
) -> BackupReport:
    """Write everything that a store and its server hold into one private file (0600).

    The voiceprints are as of one moment. The audit log is copied after them, so that it has every change of
    theirs; whom it says to have been removed or opted out meanwhile is taken out of the copy. The copies are
    checked as a whole before they are written.

    Parameters
    ----------
    store : path, optional
        The store's folder; by default `default_store_path()`.
    state : path, optional
        The server's folder, where it does not lie in the store's.
    overwrite : bool
        Replace a file that is there.

    Raises
    ------
    StoreExistsError
        If the file is there already.
    StoreError, ServerError
        If something cannot be read or is damaged, or the file cannot be written.

    Examples
    --------
    >>> from pathlib import Path
    >>> from voiceprint.backup import write_backup
    >>> report = write_backup(Path("monday.vpbackup"), store="enrollments")
    >>> report.n_speakers, report.model_id == model.id
    (2, True)
    """
    folder = store_folder(store)
    if path.exists() and not overwrite:
        raise StoreExistsError(f"{path} is there already", advice="name another file", path=str(path))
    if not path.absolute().parent.is_dir():
        raise StoreError(f"there is no folder {path.parent}", advice="make it first", path=str(path))
    with reporting(folder, "backup"), private_workspace(path.absolute().parent, prefix=_SAVING) as workspace:
        report = _save(path, folder, state_folder_of(folder, state), workspace)
        names = [name for name in (DATABASE_NAME, TUNING_FILE, SERVER) if (workspace / name).exists()]
        facts = {key: value for key, value in asdict(report).items() if key != "path"}
        facts |= {"created": report.created.isoformat(), "voiceprint": version("voiceprint-engine")}
        write_archive(path, workspace, names, facts=facts)
    return report


def _save(path: Path, folder: Path, server: Path, workspace: Path) -> BackupReport:
    """Copy everything into the workspace, check the copies, and count what they hold."""
    before = _copy_server(server, workspace / _EARLIER)
    mark = ServerMark.of(workspace / _EARLIER) if before else ServerMark()
    with EnrollmentStore.open(folder, read_only=True) as opened:
        opened.save_to(workspace)
        tuning = opened.read_document(TUNING_FILE)
    if tuning is not None:
        write_private(workspace / TUNING_FILE, tuning.encode())
    own = (workspace / SERVER).parent
    there = _copy_server(server, own)
    with EnrollmentStore.open(workspace) as copied:
        if there:
            settle(own, mark, copied)
        if problems := copied.problems():
            raise StoreDamagedError(
                f"{folder}: {'; '.join(problems)}; there is no backup of that",
                advice="restore an earlier backup",
                path=str(folder),
            )
        stats, opt_outs = copied.stats(), copied.opt_outs()
    (workspace / "voiceprints.generation").unlink(missing_ok=True)
    n_keys, n_audit = _checked_server(own, server) if there else (0, 0)
    return BackupReport(
        path=path,
        created=datetime.now(UTC),
        n_speakers=stats.n_speakers,
        n_opt_outs=len(opt_outs),
        model_id=stats.model_id,
        n_keys=n_keys,
        n_audit=n_audit,
        tuned=tuning is not None,
    )


def _copy_server(server: Path, folder: Path) -> bool:
    """Copy the server's file into a folder; returns whether there is one."""
    if not (server / STATE_NAME).is_file():
        return False
    make_private_folder(folder)
    try:
        copy_database(server / STATE_NAME, folder / STATE_NAME)
    except sqlite3.Error as error:
        raise ServerError(f"cannot read {server / STATE_NAME}: {error}") from error
    return True


def _checked_server(copied: Path, server: Path) -> tuple[int, int]:
    """Check the copy of a server's file; returns how many keys and entries it has."""
    with closing(StateFile(copied)) as state:
        keys, chain = KeyRing(state).all(), AuditLog(state).verify()
    if chain.fault:
        raise ServerError(f"{server / STATE_NAME}: {chain.fault}; there is no backup of that")
    return len(keys), chain.entries
