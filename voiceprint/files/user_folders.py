"""Where a user's files lie unless something else is named: data, and what can be made again."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import platformdirs

from voiceprint.errors import NoHomeError

__all__ = ["named_folder", "user_folder"]


def user_folder(kind: Literal["data", "cache"], *, variable: str = "") -> Path:
    """Return the user's data folder or cache folder for voiceprint; it need not exist.

    Parameters
    ----------
    kind : {"data", "cache"}
        What must last, or what can be made again.
    variable : str
        The environment variable that would name the folder, for the message.

    Raises
    ------
    NoHomeError
        If the user has no home folder: ``HOME`` is not set, and the system's list of users does not help.
    """
    find = platformdirs.user_data_path if kind == "data" else platformdirs.user_cache_path
    try:
        return find("voiceprint")
    except RuntimeError as error:
        raise _no_home(variable) from error


def named_folder(variable: str) -> Path | None:
    """Return the folder that an environment variable names, ``~`` resolved; None where it is not set.

    Raises
    ------
    NoHomeError
        If it begins with ``~``, and the user has no home folder.
    """
    named = os.environ.get(variable)
    if not named:
        return None
    try:
        return Path(named).expanduser()
    except RuntimeError as error:
        raise _no_home(variable) from error


def _no_home(variable: str) -> NoHomeError:
    instead = f", or {variable} to a folder without ~" if variable else ""
    return NoHomeError(f"this user has no home folder; set HOME to an absolute path{instead}")
