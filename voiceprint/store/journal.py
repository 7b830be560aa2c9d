"""A callback for changes to stores, so that the audit log has those of commands, too.

A server logs what its clients change. A program that changes a store beside it, such as the command line,
sets a callback here. It is called before a change is made and after it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any, Literal, ParamSpec, TypeVar

from voiceprint.errors import VoiceprintError

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

_FACTS = ("name", "old", "new", "mode", "required")  # arguments that say what a change is about


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A change to a store, asked for or made.

    Attributes
    ----------
    store : str
        Its folder, or its URL without the password.
    outcome : {"asked", "done", "refused"}
        A change that is asked for, and neither done nor refused afterwards, was cut off.
    """

    store: str
    action: str
    facts: dict[str, Any]
    outcome: Literal["asked", "done", "refused"]


Listener = Callable[[Event], None]

_listeners: list[Listener] = []


def listen(listener: Listener | None) -> None:
    """Call this one with every change from now on, instead of an earlier one; None: call nothing.

    What it raises at "asked" stops the change.
    """
    _listeners[:] = [] if listener is None else [listener]


@contextmanager
def reporting(store: object, action: str, **facts: Any) -> Iterator[None]:
    """Report the change that is made in the block to the callback."""

    def report(outcome: Literal["asked", "done", "refused"]) -> None:
        for listener in _listeners:
            listener(Event(store=str(store), action=action, facts=facts, outcome=outcome))

    report("asked")
    try:
        yield
    except (VoiceprintError, OSError):  # OSError: of a text in a folder
        report("refused")
        raise
    report("done")


def recorded(action: str) -> Callable[[Callable[Arguments, Result]], Callable[Arguments, Result]]:
    """Make a method of something with a ``path`` report the change that it makes."""

    def decorate(method: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
        signature = inspect.signature(method)

        @wraps(method)
        def reported(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
            if not _listeners:
                return method(*args, **kwargs)
            given = signature.bind(*args, **kwargs).arguments
            facts = {name: given[name] for name in _FACTS if name in given}
            with reporting(given["self"].path, action, **facts):
                return method(*args, **kwargs)

        return reported

    return decorate
