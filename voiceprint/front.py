"""The front page of a package, whose names are loaded when they are first asked for.

A command imports what it needs: ``voiceprint verify`` waits neither for what fits thresholds nor for what
exports a store, though both are named on the front pages of rooms that it uses.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any

__all__ = ["front_page"]


def front_page(package: str, homes: Mapping[str, Iterable[str]]) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of a package (PEP 562).

    Parameters
    ----------
    package : str
        Its ``__name__``.
    homes : mapping of str to iterable of str
        Modules below the package, and the names that each offers.

    Examples
    --------
    >>> __getattr__ = front_page("voiceprint.metrics", {"rates": ("auc",)})
    >>> __getattr__("auc").__module__
    'voiceprint.metrics.rates'
    """
    modules = {name: module for module, names in homes.items() for name in names}

    def load(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(f"{package}.{modules[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    return load
