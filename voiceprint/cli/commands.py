"""The table of commands, and the one place where errors become a line and an exit code."""

from __future__ import annotations

import dataclasses
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from importlib import import_module
from typing import Annotated, Any, get_type_hints

import typer

import voiceprint
from voiceprint.cli.advice import explain
from voiceprint.cli.plain_values import PlainCommand, PlainGroup
from voiceprint.cli.process import BROKEN_PIPE, ERROR
from voiceprint.errors import VoiceprintError

COMMANDS: dict[str, str] = {
    "enroll": "voiceprint.cli.enroll:enroll",
    "verify": "voiceprint.cli.decide:verify",
    "identify": "voiceprint.cli.decide:identify",
    "compare": "voiceprint.cli.decide:compare",
    "liveness": "voiceprint.cli.liveness:liveness",
    "diarize": "voiceprint.cli.diarize:diarize",
    "transcript": "voiceprint.cli.transcript:transcript",
    "listen": "voiceprint.cli.listen:listen",
    "record": "voiceprint.cli.record:record",
    "list": "voiceprint.cli.voiceprints:list_speakers",
    "show": "voiceprint.cli.voiceprints:show",
    "remove": "voiceprint.cli.voiceprints:remove",
    "rename": "voiceprint.cli.voiceprints:rename",
    "consent": "voiceprint.cli.consent:app",
    "store": "voiceprint.cli.store:app",
    "stats": "voiceprint.cli.voiceprints:stats",
    "backup": "voiceprint.cli.backup:backup",
    "restore": "voiceprint.cli.backup:restore",
    "export": "voiceprint.cli.exchange:export",
    "import": "voiceprint.cli.exchange:import_",
    "embed": "voiceprint.cli.embed:embed",
    "calibrate": "voiceprint.cli.calibrate:calibrate",
    "tune": "voiceprint.cli.tune:tune",
    "corpus": "voiceprint.cli.corpus:app",
    "trials": "voiceprint.cli.trials:app",
    "score": "voiceprint.cli.evaluation:score",
    "evaluate": "voiceprint.cli.evaluation:evaluate",
    "benchmark": "voiceprint.cli.benchmark:benchmark",
    "report": "voiceprint.cli.report:report",
    "train": "voiceprint.cli.training:train",
    "classify": "voiceprint.cli.classify:app",
    "models": "voiceprint.cli.models:app",
    "serve": "voiceprint.cli.serve:serve",
    "web": "voiceprint.cli.web:app",
    "wyoming": "voiceprint.cli.wyoming:wyoming",
    "keys": "voiceprint.cli.serve:keys",
    "audit": "voiceprint.cli.serve:audit",
    "doctor": "voiceprint.cli.doctor:doctor",
}
"""Command -> ``module:attribute``: a function, or a `typer.Typer` that holds sub-commands."""

_EXTRAS = {
    "ai_edge_litert": "convert",
    "coremltools": "coreml",
    "fastapi": "serve",
    "google": "models",  # protobuf, which onnx brings
    "kaldi_native_fbank": "train",
    "librosa": "train",
    "matplotlib": "train",
    "onnx": "models",
    "pyroomacoustics": "train",
    "pytorch_metric_learning": "train",
    "safetensors": "train",
    "scipy": "diarize",
    "sklearn": "train",
    "torch": "train",
    "torchaudio": "train",
    "uvicorn": "serve",
    "wsproto": "serve",
    "wyoming": "wyoming",
}
"""The smallest extra that brings a module."""


def examples(*lines: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the examples that its ``--help`` ends with; tests parse each of them.

    Parameters
    ----------
    *lines : str
        Whole command lines, ``voiceprint`` first.
    """

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        function.__dict__["examples"] = lines
        return function

    return decorate


def load_command(name: str) -> Any:
    """Import a command and return it as typer's command object."""
    module, attribute = COMMANDS[name].split(":")
    target = getattr(import_module(module), attribute)
    if not isinstance(target, typer.Typer):
        target = _single(target)
    command = typer.main.get_command(target)
    command.name = name
    return command


def _single(function: Callable[..., None]) -> typer.Typer:
    """Wrap one function, with its examples below its help."""
    single = typer.Typer(add_completion=False, rich_markup_mode=None)
    single.command(cls=PlainCommand, epilog=_epilog(function))(with_options_apart(function))
    return single


def group(text: str, **functions: Callable[..., None]) -> typer.Typer:
    """Make a command that holds sub-commands, each with its examples below its help."""
    holder = typer.Typer(
        cls=PlainGroup, help=text, no_args_is_help=True, add_completion=False, rich_markup_mode=None
    )
    holder.callback()(lambda: None)  # a group of one would otherwise be that one command
    for name, function in functions.items():
        holder.command(name, cls=PlainCommand, epilog=_epilog(function))(with_options_apart(function))
    return holder


def _epilog(function: Callable[..., None]) -> str | None:
    lines = function.__dict__.get("examples", ())
    return "\b\n" + "\n".join(["Examples:", *(f"  {line}" for line in lines)]) if lines else None


class CommandGroup(PlainGroup):
    """Loads a command when it is called, and turns errors into one line and an exit code.

    The exit codes: 0 for success, 1 for a verdict of no, 2 for an error, 3 where some of many inputs have no
    answer, 130 after Ctrl-C, 141 where the reader of the output has left, 143 after SIGTERM.
    """

    def make_context(self, *args: Any, **extra: Any) -> Any:
        """Parse; help and version are printed here."""
        with _errors_as_exit_codes():
            return super().make_context(*args, **extra)

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of all commands, in the order in which help shows them."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command by name, or None."""
        return load_command(cmd_name) if cmd_name in COMMANDS else None

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        with _errors_as_exit_codes():
            return super().invoke(ctx)


@contextmanager
def _errors_as_exit_codes() -> Iterator[None]:
    try:
        yield
        return
    except VoiceprintError as error:
        message = explain(error)
    except BrokenPipeError as error:
        raise typer.Exit(BROKEN_PIPE) from error
    except ModuleNotFoundError as error:  # a light install, asked for what needs an extra
        package = (error.name or "").split(".")[0]
        if package not in _EXTRAS:
            raise
        extra = _EXTRAS[package]
        message = f"this needs {error.name}; install it with: pip install 'voiceprint-engine[{extra}]'"
    except UnicodeEncodeError as error:  # what was typed holds bytes that are no UTF-8
        if error.reason != "surrogates not allowed":
            raise
        message = f"{error.object!r} is not text in UTF-8"
    except OSError as error:  # no space left, no permission: the system says no
        message = f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error)
        if isinstance(error, FileNotFoundError | NotADirectoryError | IsADirectoryError):
            message += "; check the path"
    from voiceprint.cli.terminal import plain  # only errors need it

    with suppress(OSError):  # nobody may be there to read it
        typer.echo(f"Error: {plain(' '.join(message.split()))}", err=True)
    raise typer.Exit(ERROR)


app = typer.Typer(
    cls=CommandGroup,
    name="voiceprint",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},  # of every command below it too
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"voiceprint {voiceprint.__version__}")
        raise typer.Exit


@app.callback(epilog="Every command explains itself: voiceprint COMMAND --help")
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Enroll, verify and identify voices on your own machine."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a letter shows its code instead of ending the command.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def with_options_apart(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for each field of the dataclasses that it takes.

    Parameters
    ----------
    command : callable
        Annotated with types and typer's options. A parameter whose type is a dataclass is a group: each of
        its fields becomes an option, in its place.

    Returns
    -------
    callable
        What typer is given; the command itself where it takes no group.
    """
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: kind for name, kind in hints.items() if dataclasses.is_dataclass(kind)}
    if not groups:
        return command
    apart = [
        option
        for parameter in inspect.signature(command).parameters.values()
        for option in (
            _options_of(groups[parameter.name])
            if parameter.name in groups
            else [_option(parameter.name, hints[parameter.name], parameter.default)]
        )
    ]

    @wraps(command)
    def run(**given: Any) -> None:
        together = {
            name: group(**{field.name: given.pop(field.name) for field in dataclasses.fields(group)})
            for name, group in groups.items()
        }
        command(**given, **together)

    run.__dict__["__signature__"] = inspect.Signature(apart)
    run.__annotations__ = {option.name: option.annotation for option in apart}
    return run


def _options_of(group: Any) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        _option(
            field.name,
            hints[field.name],
            inspect.Parameter.empty if field.default is dataclasses.MISSING else field.default,
        )
        for field in dataclasses.fields(group)
    ]


def _option(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)
