"""VoicePool: the threads that work on voices, and the fair queue before them."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from heapq import heappop, heappush
from itertools import count
from typing import Any, TypeVar

from voiceprint.server.limits import OverloadedError, TooMuchError

Result = TypeVar("Result")

QUERY = 0.5
"""What a step counts that has no clip, and every step beside its clip, in seconds of audio."""

_PATIENCE = 0.12  # seconds that a request may have to wait for a thread
_MEMORY = 0.9  # what all earlier steps together count beside the latest one
_ALL_CALLERS = 4  # times the places of one caller are there for all
_MAX_CALLERS = 10_000


@dataclass(order=True, slots=True)
class _Step:
    """A piece of work that waits: first the one whose caller has had least."""

    tag: float
    number: int
    weight: float = field(compare=False)
    work: Callable[[], Any] = field(compare=False)
    done: asyncio.Future[Any] = field(compare=False)
    began: float = field(compare=False, default=0.0)


class VoicePool:
    """The threads that decode, listen and embed, with a bounded, fair queue before them.

    Onnxruntime lets go of Python's lock while it computes, but what surrounds it does not, so a process makes
    good use of one core; run one process per core rather than many threads.

    A request takes a place once its body is complete. Its work is done in steps of one clip, and requests of
    others run between two steps. The caller that has used least time is next (start-time fair queueing;
    Goyal, Vin and Cheng, 1996): a caller who asks for minutes of audio does not delay the others.

    The time that a step takes is estimated from its seconds of audio and from what those took lately. So the
    queue is short where work is slow: a request that enters is answered soon. Another is refused at once, and
    may go to another machine.

    Clips are not batched across requests: only clips of equal length may share a batch, and after the silence
    is cut out few have equal lengths.

    Parameters
    ----------
    waiting : int
        Requests of one caller that may wait, and a fourth of all that may; more raise `OverloadedError`.
    patience : float
        Seconds that they may have to wait; a request that would have to wait longer is refused too.
    max_audio : float
        Seconds of audio that one caller's requests may hold at once.
    report : callable
        Called with how many requests hold a place, whenever that changes.

    Attributes
    ----------
    taken : int
        Requests that hold a place.
    """

    def __init__(
        self,
        *,
        threads: int,
        waiting: int,
        patience: float = _PATIENCE,
        max_audio: float = float("inf"),
        report: Callable[[int], None] = lambda requests: None,
    ) -> None:
        self._size = threads
        self._places = threads + waiting
        self._patience = patience
        self._max_audio = max_audio
        self._report = report
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="voice")
        self._queue: list[_Step] = []
        self._numbers = count()
        self._running = 0
        self._now = 0.0  # tag of the step that began last
        self._next: dict[str, float] = {}  # the tag that a caller's next step has, unless `_now` is later
        self._spent = self._worked = 0.0  # seconds that steps took lately, and seconds of audio in them
        self._taken: Counter[str] = Counter()
        self._audio: defaultdict[str, float] = defaultdict(float)  # seconds, of each caller's requests
        self.taken = 0

    @property
    def seconds_each(self) -> float:
        """Seconds that a second of audio took lately."""
        return self._spent / self._worked if self._worked else 0.0

    @property
    def waiting(self) -> int:
        """Steps that wait for a thread."""
        return len(self._queue)

    def check_room(self, caller: str) -> None:
        """Raise OverloadedError if a request would find no place or wait too long, before its body."""
        wait = self._wait(caller)
        full = self.taken >= _ALL_CALLERS * self._places or self._taken[caller] >= self._places
        if full or wait > self._patience:
            raise OverloadedError("more is asked than can be answered soon; try again", wait=wait)

    @contextmanager
    def place(self, caller: str, audio: float = 0.0) -> Iterator[Turn]:
        """Hold a place, and seconds of audio, from when a request's body is there until it is answered.

        OverloadedError if none is free, TooMuchError if the caller's requests would hold too much audio.
        """
        self.check_room(caller)
        held = self._audio.get(caller, 0.0)
        if held and held + audio > self._max_audio:
            detail = f"the requests of this key hold {held:.0f} s of audio already; wait for their answers"
            raise TooMuchError(detail, wait=held * self.seconds_each)
        self.taken += 1
        self._report(self.taken)
        self._taken[caller] += 1
        self._audio[caller] += audio
        try:
            yield Turn(self, caller)
        finally:
            self.taken -= 1
            self._report(self.taken)
            self._taken[caller] -= 1
            self._audio[caller] -= audio
            if not self._taken[caller]:
                del self._taken[caller], self._audio[caller]

    async def run(
        self,
        work: Callable[[], Result],
        *,
        caller: str = "",
        weight: float = QUERY,
        tag: float | None = None,
    ) -> Result:
        """Do a step in one of the threads, when it is its turn.

        A step that was asked for is done even if the client has gone: a change is never left half-done.

        Parameters
        ----------
        weight : float
            Seconds of audio, and `QUERY`.
        tag : float, optional
            What is done before it has a lower one; None: it comes after all other steps of its caller.
        """
        if tag is None:
            tag = self.tag(caller)
        self._next[caller] = max(tag + weight, self._next.get(caller, 0.0))
        if len(self._next) > _MAX_CALLERS:
            self._next = {caller: tag for caller, tag in self._next.items() if tag > self._now}
        done: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        step = _Step(tag, next(self._numbers), weight, work, done)
        heappush(self._queue, step)
        self._begin()
        return await asyncio.shield(done)

    def close(self) -> None:
        """Finish what was begun."""
        self._threads.shutdown(wait=True)

    def tag(self, caller: str) -> float:
        """The tag of a step that its caller asks for now."""
        return max(self._now, self._next.get(caller, 0.0))

    def _wait(self, caller: str) -> float:
        """How long a step of a caller that came now would wait for those that would be before it."""
        tag = self.tag(caller)
        before = sum(step.weight for step in self._queue if step.tag <= tag)
        return before * self.seconds_each / self._size

    def _begin(self) -> None:
        while self._queue and self._running < self._size:
            step = heappop(self._queue)
            self._now = max(self._now, step.tag)
            self._running += 1
            step.began = time.perf_counter()
            begun = asyncio.get_running_loop().run_in_executor(self._threads, step.work)
            begun.add_done_callback(partial(self._end, step))

    def _end(self, step: _Step, begun: asyncio.Future[Any]) -> None:
        self._running -= 1
        # As the queue sees it: the event loop needs time as well, and the more is asked, the more.
        self._spent = _MEMORY * self._spent + time.perf_counter() - step.began
        self._worked = _MEMORY * self._worked + step.weight
        if (error := begun.exception()) is None:
            step.done.set_result(begun.result())
        else:
            step.done.set_exception(error)
            step.done.exception()  # nobody may be waiting for it any more
        self._begin()


class Turn:
    """A request that holds a place, whose steps are done one after the other.

    Its first step waits for what was there before it. A later one goes before what came meanwhile, but for as
    much as the request has had already: it waits for the queue once, and does not hold it up either.
    """

    def __init__(self, pool: VoicePool, caller: str) -> None:
        self._pool, self._caller = pool, caller
        self._tag = pool.tag(caller)

    async def run(self, work: Callable[[], Result], *, audio: float = 0.0) -> Result:
        """Do a step; `audio` says how many seconds of it there are in the step."""
        tag, weight = self._tag, QUERY + audio
        self._tag += weight
        return await self._pool.run(work, caller=self._caller, weight=weight, tag=tag)
