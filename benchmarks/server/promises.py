"""What the server promises under load, and whether figures keep it."""

from __future__ import annotations

from benchmarks.server.load import OVERLOAD, Figures, Load

__all__ = ["judge"]

MAX_P99_MS = 400.0
MAX_GROWTH = 0.05  # of the memory, from the first tenth of the requests to the last


def judge(ours: Figures, load: Load) -> dict[str, bool]:
    """Hold the figures of `measure_ours` to each promise."""
    steady, overloaded, memory = ours["steady"], ours["overload"], ours["many"]["memory_mib"]
    p99 = f"p99 under {MAX_P99_MS:g} ms"
    asked = f"{load.rate:g} verifications a second"
    failures = {"500", "timeout", "broken"}
    return {
        f"all of {asked} are answered": set(steady["outcomes"]) == {"200"},
        f"at {asked}, {p99}": (steady["p99_ms"] or MAX_P99_MS) < MAX_P99_MS,
        f"memory is flat over {load.requests} requests": memory[-1] <= (1 + MAX_GROWTH) * memory[0],
        f"at {OVERLOAD} times that, {p99} for what is answered": (overloaded["p99_ms"] or MAX_P99_MS)
        < MAX_P99_MS,
        f"at {OVERLOAD} times that, no 500, no timeout, no broken connection": not failures
        & set(overloaded["outcomes"]),
        "whoever is turned away is told when to come back": "503" in overloaded["outcomes"]
        and not overloaded["refused_without_retry_after"],
        "no enrollment is lost": not overloaded["enrollments_lost"] and not overloaded["store_problems"],
    }
