"""The queue before the voice threads: places, fairness, what is refused; and bodies on their way."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest

from voiceprint.server.limits import OverloadedError, Shares, TooMuchError
from voiceprint.server.pool import QUERY, VoicePool


def run(pool: VoicePool, work: Callable[[VoicePool], Coroutine[Any, Any, Any]]) -> Any:
    try:
        return asyncio.run(work(pool))
    finally:
        pool.close()


async def held(pool: VoicePool, release: threading.Event) -> asyncio.Task[None]:
    """Keep the one thread busy until it is released."""
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()

    def work() -> None:
        loop.call_soon_threadsafe(begun.set)
        release.wait(30)

    task = asyncio.create_task(pool.run(work, caller="holder"))
    await begun.wait()
    return task


async def order_of(pool: VoicePool, asked: list[tuple[str, float]]) -> list[str]:
    """The order in which steps are done that are asked for while the thread is busy."""
    release = threading.Event()
    done: list[str] = []
    holder = await held(pool, release)
    tasks = [
        asyncio.create_task(pool.run(partial(done.append, caller), caller=caller, weight=weight))
        for caller, weight in asked
    ]
    await asyncio.sleep(0)
    release.set()
    await asyncio.gather(holder, *tasks)
    return done


def test_steps_of_one_caller_are_done_in_the_order_they_came() -> None:
    asked = [("a", 3.0), ("a", 1.0), ("a", 2.0)]
    assert run(VoicePool(threads=1, waiting=9), lambda pool: order_of(pool, asked)) == ["a", "a", "a"]


def test_a_caller_who_asks_for_minutes_does_not_hold_up_another() -> None:
    asked = [("greedy", 120.0), ("greedy", 120.0), ("greedy", 120.0), ("small", 3.0), ("small", 3.0)]
    done = run(VoicePool(threads=1, waiting=9), lambda pool: order_of(pool, asked))
    assert done == ["greedy", "small", "small", "greedy", "greedy"]


def test_between_two_clips_of_a_request_another_request_of_the_same_key_has_its_turn() -> None:
    done: list[str] = []

    async def ask(pool: VoicePool) -> None:
        release = threading.Event()
        holder = await held(pool, release)

        async def enroll() -> None:
            with pool.place("key", audio=60.0) as turn:
                for number in range(3):
                    await turn.run(partial(done.append, f"clip {number}"), audio=20.0)

        async def verify() -> None:
            with pool.place("key", audio=3.0) as turn:
                await turn.run(lambda: done.append("verified"), audio=3.0)

        tasks = [asyncio.create_task(enroll()), asyncio.create_task(verify())]
        await asyncio.sleep(0)
        release.set()
        await asyncio.gather(holder, *tasks)

    run(VoicePool(threads=1, waiting=9), ask)
    assert done == ["clip 0", "verified", "clip 1", "clip 2"]


def test_a_request_of_several_clips_waits_for_the_queue_once() -> None:
    done: list[str] = []

    async def ask(pool: VoicePool) -> None:
        release = threading.Event()
        holder = await held(pool, release)

        async def request(name: str, clips: int) -> None:
            with pool.place("key", audio=3.0 * clips) as turn:
                for _ in range(clips):
                    await turn.run(lambda: done.append(name), audio=3.0)

        tasks = [asyncio.create_task(request("before", 1)), asyncio.create_task(request("enroll", 3))]
        tasks += [asyncio.create_task(request("after", 1)) for _ in range(6)]
        await asyncio.sleep(0)
        release.set()
        await asyncio.gather(holder, *tasks)

    run(VoicePool(threads=1, waiting=9), ask)
    assert done[:2] == ["before", "enroll"]
    assert [place for place, name in enumerate(done) if name == "enroll"] == [1, 3, 5]


def test_a_place_is_given_back_when_its_work_is_done() -> None:
    pool = VoicePool(threads=1, waiting=1)
    with pool.place("a"), pool.place("a"):
        with pytest.raises(OverloadedError), pool.place("a"):
            pass
        with pool.place("b"):  # another caller has places of its own
            assert pool.taken == 3
    assert pool.taken == 0
    pool.close()


def test_all_callers_together_have_four_times_the_places_of_one() -> None:
    pool = VoicePool(threads=1, waiting=0)
    with ExitStack() as stack:
        for caller in "abcd":
            stack.enter_context(pool.place(caller))
        with pytest.raises(OverloadedError), pool.place("e"):
            pass
    pool.close()


def test_one_caller_may_have_so_much_audio_at_once_and_no_more() -> None:
    pool = VoicePool(threads=1, waiting=9, max_audio=100.0)
    with pool.place("a", audio=80.0):
        with pytest.raises(TooMuchError, match="hold 80 s of audio"), pool.place("a", audio=30.0):
            pass
        with pool.place("b", audio=30.0), pool.place("a", audio=20.0):
            pass
    with pool.place("a", audio=30.0):
        pass
    pool.close()


def test_where_work_is_slow_fewer_may_wait() -> None:
    async def ask(pool: VoicePool) -> float:
        await pool.run(lambda: time.sleep(0.05), weight=1.0)
        each = pool.seconds_each
        assert each >= 0.05
        release = threading.Event()
        holder = await held(pool, release)
        pool.check_room("a")  # whoever is running does not count
        waiting = asyncio.create_task(pool.run(lambda: None, caller="a", weight=0.1 / each))
        await asyncio.sleep(0)
        pool.check_room("a")  # 0.1 s
        more = asyncio.create_task(pool.run(lambda: None, caller="a", weight=0.2 / each))
        await asyncio.sleep(0)
        with pytest.raises(OverloadedError) as refused:  # 0.3 s
            pool.check_room("a")
        pool.check_room("b")  # who has had nothing is next
        release.set()
        await asyncio.gather(holder, waiting, more)
        return refused.value.wait

    assert run(VoicePool(threads=1, waiting=8, patience=0.2), ask) == pytest.approx(0.3)


def test_work_that_fails_counts_and_its_error_is_passed_on() -> None:
    pool = VoicePool(threads=1, waiting=1)

    def fail() -> None:
        time.sleep(0.02)
        raise ValueError("work")

    with pytest.raises(ValueError, match="work"):
        run(pool, lambda pool: pool.run(fail))
    assert pool.seconds_each >= 0.02 / QUERY


def test_work_goes_on_when_whoever_waits_for_it_leaves() -> None:
    done = threading.Event()

    async def leave(pool: VoicePool) -> None:
        release = threading.Event()
        holder = await held(pool, release)
        task = asyncio.create_task(pool.run(done.set))
        await asyncio.sleep(0)
        task.cancel()
        release.set()
        await holder

    run(VoicePool(threads=1, waiting=1), leave)
    assert done.is_set()


def test_the_others_are_told_how_many_requests_there_are() -> None:
    told: list[int] = []
    pool = VoicePool(threads=1, waiting=1, report=told.append)
    with pool.place("a"), pool.place("b"):
        pass
    assert told == [1, 2, 1, 0]
    pool.close()


def test_a_key_and_an_address_may_send_so_many_bodies_at_once() -> None:
    bodies = Shares(2, "bodies are on their way")
    with ExitStack() as stack:
        stack.enter_context(bodies.holding("k1", "a"))
        stack.enter_context(bodies.holding("k1", "b"))
        with pytest.raises(TooMuchError, match="for this key"):
            stack.enter_context(bodies.holding("k1", "c"))
        for key in ("k2", "k2", "k3"):
            stack.enter_context(bodies.holding(key, "a"))
        with pytest.raises(TooMuchError, match="for this address"):
            stack.enter_context(bodies.holding("k4", "a"))
    with bodies.holding("k1", "a"):
        pass


def test_a_body_that_has_arrived_counts_by_its_bytes_until_it_is_answered() -> None:
    bodies, held = Shares(1, "bodies are on their way"), Shares(500, "bytes are held", address=1, together=2)
    with bodies.holding("k1", "a") as first, held.holding("k1", "a", 400):
        first.release()
        with bodies.holding("k1", "a"), held.holding("k1", "a", 0) as second:
            second.add(100)
            with pytest.raises(TooMuchError, match="bytes"):
                second.add(1)
        with held.holding("k2", "b", 500), held.holding("k3", "c", 0) as third:
            with pytest.raises(OverloadedError) as refused:
                third.add(101)
            assert not isinstance(refused.value, TooMuchError)
    with bodies.holding("k1", "a"), held.holding("k1", "a", 500):
        pass
