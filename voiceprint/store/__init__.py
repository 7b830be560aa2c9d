"""Who is enrolled, with which voiceprint: SQLite is the truth, a FAISS index is derived from it."""

from __future__ import annotations

from voiceprint.store.enrollments import EnrollmentStore
from voiceprint.store.exchange import ExportFile, read_export, write_export
from voiceprint.store.files import default_store_path
from voiceprint.store.records import (
    AddMode,
    Consent,
    EnrolledUtterance,
    Enrollment,
    ImportMode,
    ImportReport,
    StoreHit,
    StoreStats,
    VoiceprintRecord,
    normalize_name,
)

__all__ = [
    "AddMode",
    "Consent",
    "EnrolledUtterance",
    "Enrollment",
    "EnrollmentStore",
    "ExportFile",
    "ImportMode",
    "ImportReport",
    "StoreHit",
    "StoreStats",
    "VoiceprintRecord",
    "default_store_path",
    "normalize_name",
    "read_export",
    "write_export",
]
