"""Who is enrolled, with which voiceprint: in a folder for one machine, in PostgreSQL for several."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voiceprint.front import front_page

if TYPE_CHECKING:
    from voiceprint.store.accepted import AcceptedRecording
    from voiceprint.store.address import StoreAddress, is_url, shown
    from voiceprint.store.copying import CopyReport, copy_store
    from voiceprint.store.enrollments import EnrollmentStore
    from voiceprint.store.exchange import ExportFile, read_export, write_export
    from voiceprint.store.files import default_store_path
    from voiceprint.store.moving import StoreModels, Unmoved
    from voiceprint.store.names import normalize_name, normalize_names
    from voiceprint.store.records import (
        AddMode,
        Consent,
        EnrolledUtterance,
        Enrollment,
        ImportMode,
        ImportReport,
        SetAsideClip,
        StoreHit,
        StoreStats,
        VoiceprintRecord,
        check_terms,
    )
    from voiceprint.store.restoring import Restored
    from voiceprint.store.seen import SeenRecording
    from voiceprint.store.tables import StoreModel

__all__ = [
    "AcceptedRecording",
    "AddMode",
    "Consent",
    "CopyReport",
    "EnrolledUtterance",
    "Enrollment",
    "EnrollmentStore",
    "ExportFile",
    "ImportMode",
    "ImportReport",
    "Restored",
    "SeenRecording",
    "SetAsideClip",
    "StoreAddress",
    "StoreHit",
    "StoreModel",
    "StoreModels",
    "StoreStats",
    "Unmoved",
    "VoiceprintRecord",
    "check_terms",
    "copy_store",
    "default_store_path",
    "is_url",
    "normalize_name",
    "normalize_names",
    "read_export",
    "shown",
    "write_export",
]

__getattr__ = front_page(
    __name__,
    {
        "accepted": ("AcceptedRecording",),
        "address": ("StoreAddress", "is_url", "shown"),
        "copying": ("CopyReport", "copy_store"),
        "enrollments": ("EnrollmentStore",),
        "exchange": ("ExportFile", "read_export", "write_export"),
        "files": ("default_store_path",),
        "moving": ("StoreModels", "Unmoved"),
        "names": ("normalize_name", "normalize_names"),
        "records": (
            "AddMode",
            "Consent",
            "EnrolledUtterance",
            "Enrollment",
            "ImportMode",
            "ImportReport",
            "SetAsideClip",
            "StoreHit",
            "StoreStats",
            "VoiceprintRecord",
            "check_terms",
        ),
        "restoring": ("Restored",),
        "seen": ("SeenRecording",),
        "tables": ("StoreModel",),
    },
)
