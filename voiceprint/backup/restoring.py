"""A backup is restored: what was lost comes back, and what was taken back since does not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from voiceprint.backup.archive import read_archive
from voiceprint.backup.places import ALLOWED, SERVER, state_folder_of, store_folder
from voiceprint.backup.server_state import (
    RestoredServer,
    TakenBack,
    restore_server,
    take_back,
    taken_back_since,
)
from voiceprint.engine.tuning import TUNING_FILE
from voiceprint.errors import (
    StoreDamagedError,
    StoreError,
    StoreExistsError,
    StoreMissingError,
)
from voiceprint.files.whole import sync_folder
from voiceprint.files.workspace import private_workspace
from voiceprint.store import EnrollmentStore, Restored, StoreAddress
from voiceprint.store.files import make_private_folder
from voiceprint.store.journal import reporting
from voiceprint.store.sqlite.backend import RESTORING
from voiceprint.store.sqlite.faults import DATABASE_NAME


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreReport:
    """What restoring did.

    Attributes
    ----------
    store : Path
    created : str
        When the backup was made, in ISO 8601.
    voiceprints : Restored
        Who is enrolled now, and who of the backup is not.
    model_id : str or None
        The model that the voiceprints need.
    server : RestoredServer
        What became of keys and audit log.

    Examples
    --------
    >>> from pathlib import Path
    >>> from voiceprint.backup import restore_backup, write_backup
    >>> _ = write_backup(Path("monday.vpbackup"), store="enrollments")
    >>> report = restore_backup(Path("monday.vpbackup"), store="elsewhere")
    >>> report.voiceprints.n_speakers, report.server.outcome
    (2, 'none')
    """

    store: Path
    created: str
    voiceprints: Restored
    model_id: str | None
    server: RestoredServer


def restore_backup(
    path: Path,
    *,
    store: StoreAddress | None = None,
    state: Path | None = None,
    overwrite: bool = False,
    removed_too: bool = False,
    trust_keys: bool = False,
) -> RestoreReport:
    """Put back what `write_backup` wrote, after checking all of it; a server may go on running meanwhile.

    Voiceprints are replaced in one transaction: interrupted, the store is as it was or as it is to be, and
    the backup can be restored again. What people took back since the backup stays taken back: removals,
    opt-outs, consent and earlier ends. Where the server's keys and audit log are there, they stay as they
    are, for they know which keys were revoked. Where they are lost, nobody knows that any more: the keys come
    back revoked.

    Parameters
    ----------
    store, state : path, optional
        As in `write_backup`; where to restore to.
    overwrite : bool
        Replace the voiceprints that are there.
    removed_too : bool
        Bring people back who were removed since the backup.
    trust_keys : bool
        Leave keys in force that were so when the backup was made.

    Raises
    ------
    StoreExistsError
        If there is a store, and `overwrite` is not set.
    StoreError, ServerError
        If the backup is not sound, or something cannot be written.
    """
    if not path.is_file():
        raise StoreError(f"{path}: there is no such backup; check the path", path=str(path))
    folder = _place(store, overwrite=overwrite)
    with reporting(folder, "restore"), private_workspace(folder, prefix=RESTORING) as workspace:
        manifest = read_archive(path, workspace, allowed=ALLOWED)
        model_id = _checked(workspace, path)
        server = state_folder_of(folder, state)
        # Keys and log come first: until the voiceprints are there, nothing is served with them.
        taken_back = taken_back_since(workspace / SERVER, server)
        keys = restore_server(workspace / SERVER, server, trust_keys=trust_keys)
        voiceprints = _put_back(workspace, folder, taken_back, removed_too=removed_too)
        _restore_tuning(workspace, folder)
    with EnrollmentStore.open(folder) as opened:  # takes out of the index who is not there any more
        opened.erase()
    return RestoreReport(
        store=folder,
        created=str(manifest.facts["created"]),
        voiceprints=voiceprints,
        model_id=model_id,
        server=keys,
    )


def _place(store: StoreAddress | None, *, overwrite: bool) -> Path:
    """Return the folder to restore to, made if it is not there."""
    folder = store_folder(store)
    if (folder / DATABASE_NAME).exists() and not overwrite:
        raise StoreExistsError(
            f"there is a store at {folder} already", advice="name another place", path=str(folder)
        )
    try:
        make_private_folder(folder)
    except OSError as error:
        raise StoreError(f"cannot create {folder}: {error.strerror}", path=str(folder)) from error
    return folder


def _checked(workspace: Path, path: Path) -> str | None:
    """Bring the unpacked voiceprints to the present format, and check all of them; returns their model."""
    if not (workspace / DATABASE_NAME).exists():
        raise StoreError(f"{path} holds no voiceprints, and nothing was restored", path=str(path))
    with EnrollmentStore.open(workspace) as copied:
        if problems := copied.problems():
            raise StoreDamagedError(
                f"{path}: {'; '.join(problems)}; nothing was restored",
                advice="restore another backup",
                path=str(path),
            )
        return copied.model_id


def _put_back(workspace: Path, folder: Path, taken_back: TakenBack, *, removed_too: bool) -> Restored:
    try:
        with EnrollmentStore.open(folder, read_only=True):
            pass
        with EnrollmentStore.open(folder) as present:
            return present.restore_from(workspace, removed_too=removed_too)
    except (StoreMissingError, StoreDamagedError):  # there is nothing to go by but the log
        return _move_in(workspace, folder, taken_back, removed_too=removed_too)


def _move_in(workspace: Path, folder: Path, taken_back: TakenBack, *, removed_too: bool) -> Restored:
    """Put the unpacked database where none is, or a damaged one."""
    with EnrollmentStore.open(workspace) as copied:
        found = take_back(copied, replace(taken_back, removed=()) if removed_too else taken_back)
        n_speakers = len(copied)
    for left in [*folder.glob("voiceprints.*")]:
        if left.name != DATABASE_NAME:
            left.unlink()
    (workspace / DATABASE_NAME).replace(folder / DATABASE_NAME)
    sync_folder(folder)
    return Restored(n_speakers=n_speakers, stay_removed=found.removed, opted_out=found.opted_out)


def _restore_tuning(workspace: Path, folder: Path) -> None:
    with EnrollmentStore.open(folder) as opened:
        tuning = workspace / TUNING_FILE
        opened.write_document(TUNING_FILE, tuning.read_text(encoding="utf-8") if tuning.exists() else None)
