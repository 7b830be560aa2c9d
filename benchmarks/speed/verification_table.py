"""The table of README.md about time, memory and size, with what each target asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.tables import markdown_table

__all__ = ["verification_table"]

TARGETS = {
    "process_seconds": 0.7,  # at most
    "times_faster": 4.0,  # at least
    "embedding_of_real_time": 1 / 500,  # at most
}


def verification_table(found: Mapping[str, Any]) -> str:
    """Return the table of what was measured (`benchmarks.speed.verification`)."""
    names = ("voiceprint", "resemblyzer")
    own, peer = (found["processes"][name] for name in names)
    own_steps, peer_steps = (found["steps"][name] for name in names)
    seconds = found["seconds_of_audio"]

    def each_second(step_seconds: float) -> str:
        return f"{1000 * step_seconds / seconds:.2f}"

    whole = sum(own_steps[step] for step in ("decode", "find_speech", "embed"))
    peer_whole = peer_steps["decode and find_speech"] + peer_steps["embed"]
    rows = [
        (
            "verify, whole process, s",
            *(f"{process['median']:.2f}" for process in (own, peer)),
            _verdict(own["median"], "process_seconds"),
        ),
        ("  fastest to slowest, s", _span(own), _span(peer), ""),
        (
            "  times faster",
            f"{found['times_faster']:.1f}",
            "1",
            _verdict(found["times_faster"], "times_faster"),
        ),
        ("  processor time, s", *(f"{process['processor_seconds']:.2f}" for process in (own, peer)), ""),
        ("  peak memory, MB", *(f"{process['peak_bytes'] / 1e6:.0f}" for process in (own, peer)), ""),
        (
            "embedding alone, fraction of real time",
            *(f"1/{seconds / steps['embed']:.0f}" for steps in (own_steps, peer_steps)),
            _verdict(found["embedding_of_real_time"], "embedding_of_real_time"),
        ),
        ("decoding, ms a second of audio", each_second(own_steps["decode"]), "", ""),
        ("finding speech, ms a second of audio", each_second(own_steps["find_speech"]), "", ""),
        (
            "embedding, ms a second of audio",
            *(each_second(steps["embed"]) for steps in (own_steps, peer_steps)),
            "",
        ),
        ("all three, ms a second of audio", each_second(whole), each_second(peer_whole), ""),
        (
            f"installed, MB (packages; torch {peer_steps['torch']})",
            *(_installed(found["installed"][name]) for name in names),
            "",
        ),
    ]
    title = (
        f"A clip of {seconds:g} s, one thread, medians of {found['repetitions']} processes each in turn:\n\n"
    )
    return title + markdown_table(("", "voiceprint", "Resemblyzer 0.1.4", "target"), rows)


def _verdict(value: float, target: str) -> str:
    limit = TARGETS[target]
    if target == "times_faster":
        return f"at least {limit:g}: {_met(value >= limit)}"
    asked = f"1/{1 / limit:.0f}" if limit < 0.1 else f"{limit:g}"
    return f"under {asked}: {_met(value < limit)}"


def _met(met: bool) -> str:
    return "met" if met else "MISSED"


def _span(process: Mapping[str, float]) -> str:
    return f"{process['fastest']:.2f} to {process['slowest']:.2f}"


def _installed(sizes: Mapping[str, float]) -> str:
    return f"{sizes['bytes'] / 1e6:.0f} ({sizes['packages']})"
