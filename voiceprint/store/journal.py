"""Who is told of changes to stores, so that what a command changes can be written down.

A server writes down itself what its clients change. Whoever changes a store beside it, as the command line
does, names a listener here, which is told before a change is made and after it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any, Literal, ParamSpec, TypeVar

from voiceprint.errors import VoiceprintError

__all__ = ["Event", "listen", "recorded", "telling"]

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

_TOLD = ("name", "old", "new", "mode", "required")  # arguments that say what a change is about


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A change to a store, asked for or made.

    Attributes
    ----------
    store : str
        Its folder, or its URL without the password.
    action : str
        Such as ``remove``.
    facts : dict
        Whom it is about, and how.
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
    """Tell this one of every change from now on, in the place of whoever was told before; None: nobody.

    What it raises at "asked" stops the change.
    """
    _listeners[:] = [] if listener is None else [listener]


@contextmanager
def telling(store: object, action: str, **facts: Any) -> Iterator[None]:
    """Tell of the change that is made in the block."""

    def tell(outcome: Literal["asked", "done", "refused"]) -> None:
        for listener in _listeners:
            listener(Event(store=str(store), action=action, facts=facts, outcome=outcome))

    tell("asked")
    try:
        yield
    except VoiceprintError:
        tell("refused")
        raise
    tell("done")


def recorded(action: str) -> Callable[[Callable[Arguments, Result]], Callable[Arguments, Result]]:
    """Make a method of something with a ``path`` tell of the change that it makes.

    Parameters
    ----------
    action : str
        What the change is called.
    """

    def decorate(method: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
        signature = inspect.signature(method)

        @wraps(method)
        def told(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
            if not _listeners:
                return method(*args, **kwargs)
            given = signature.bind(*args, **kwargs).arguments
            facts = {name: given[name] for name in _TOLD if name in given}
            with telling(given["self"].path, action, **facts):
                return method(*args, **kwargs)

        return told

    return decorate
