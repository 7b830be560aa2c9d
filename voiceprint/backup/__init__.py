"""One private file of everything a store and its server hold, and the way back. See docs/how-to/backup.md."""

from __future__ import annotations

from voiceprint.backup.restoring import RestoreReport, restore_backup
from voiceprint.backup.saving import BackupReport, write_backup

__all__ = ["BackupReport", "RestoreReport", "restore_backup", "write_backup"]
