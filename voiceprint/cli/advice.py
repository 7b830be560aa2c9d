"""What the command line says of an error: the fact in terms of options, and which of them helps."""

from __future__ import annotations

from voiceprint.errors import ArgumentError, VoiceprintError

_ADVICE = {
    "channels_differ": "say which one to take with --channel",
    "consent_required": "say with --consent-by and --purpose who agreed, and to what",
    "folder_exists": "name another folder, or replace it with --overwrite",
    "model_mismatch": (
        "move it there with `voiceprint store upgrade`, and --model where you name one, or name its own "
        "model with --model"
    ),
    "not_calibrated": "give --threshold, or run `voiceprint calibrate`",
    "pool_missing": "`voiceprint train --prepare` renders it",
    "run_exists": "continue it with --resume, or name another folder",
    "speaker_exists": "use --add to add clips, or --replace for a new voiceprint",
    "speaker_not_found": "`voiceprint list` shows who is",
    "speaker_opted_out": "`voiceprint consent opt-in` takes that back",
    "store_exists": "replace it with --overwrite, or name another place",
    "store_missing": "enroll somebody first, or name the store with --store",
    "tuning_damaged": "`voiceprint tune --reset` removes it",
    "worker": "it may have wanted memory: try --jobs 1",
}
"""Instead of the library's advice, of errors that an option or another command mends; by their code."""

_NAMES = {"clips": "CLIP", "people": "the number of people", "sample_rate": "the sample rate"}
"""Arguments of the library that are no option of the same name."""


def explain(error: VoiceprintError) -> str:
    """Return the line that the command line prints for an error."""
    if isinstance(error, ArgumentError):
        allowed = error.allowed
        for other in error.beside:
            allowed = allowed.replace(other, _option(other))
        return f"{_option(error.argument)} is {error.value!r}; it must be {allowed}"
    advice = (advice_for(error.code) or error.advice) if error.advice else ""
    return f"{error.fact}; {advice}" if advice else error.fact


def advice_for(code: str) -> str:
    """Return which option mends an error of this code; empty where the library's own advice stands."""
    return _ADVICE.get(code, "")


def _option(argument: str) -> str:
    return _NAMES.get(argument, f"--{argument.replace('_', '-')}")
