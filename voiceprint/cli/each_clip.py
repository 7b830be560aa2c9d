"""Answers about several clips, some of which cannot be read: what is said of those, and the exit code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NoReturn, TypeVar

import typer

from voiceprint.cli.advice import explain
from voiceprint.cli.process import ERROR, PARTLY
from voiceprint.cli.terminal import plain
from voiceprint.errors import AudioError, VoiceprintError

Answer = TypeVar("Answer")


def answer_each(clips: Sequence[str], ask: Callable[[str], Answer]) -> tuple[list[Answer], dict[str, str]]:
    """Ask about each clip; return the answers, and why others have none, which is said on standard error.

    Of a single clip the error is the command's.
    """
    answers: list[Answer] = []
    failed: dict[str, str] = {}
    for clip in clips:
        try:
            answers.append(ask(clip))
        except AudioError as error:
            if len(clips) == 1:
                raise
            failed[clip] = explain(error)
            typer.echo(f"no answer: {plain(failed[clip])}", err=True)
    return answers, failed


def end_with(codes: Sequence[int], *, clips: int) -> NoReturn:
    """End with the highest code of a verdict; without one for every clip with 3, and without any with 2."""
    if not codes:
        raise VoiceprintError(f"none of the {clips} clips can be read")
    verdicts = [code for code in codes if code != ERROR]
    code = ERROR if not verdicts else max(verdicts) if len(verdicts) == clips else PARTLY
    raise typer.Exit(code)
