"""``voiceprint serve``, ``keys`` and ``audit``: the HTTP server, who may use it, and what it did."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voiceprint.cli.commands import examples, group
from voiceprint.cli.liveness import LivenessOptions
from voiceprint.cli.options import AllowReplayOption, JsonOption, ModelOption, StateOption, StoreOption
from voiceprint.cli.terminal import count, plain, print_answer, print_json, print_table

if TYPE_CHECKING:
    from voiceprint.server.keys import ApiKey
    from voiceprint.server.state import StateFile


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """How the server listens, and what it allows."""

    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, typer.Option("--port", min=1, max=65_535, help="Port to listen on.")] = 8765
    processes: Annotated[int, typer.Option("--processes", help="Server processes; one per core is most.")] = 1
    keyless: Annotated[
        bool, typer.Option("--no-keys", help="Ask for no API key; only for this machine alone.")
    ] = False
    origins: Annotated[
        list[str] | None,
        typer.Option("--origin", help="Web site whose pages may call the server (CORS); repeatable."),
    ] = None
    rate: Annotated[
        float, typer.Option("--rate", min=0.1, help="Requests a second that each key may make.")
    ] = 50.0
    max_body: Annotated[int, typer.Option("--max-body", min=1000, help="Bytes of the largest request.")] = (
        16 << 20
    )
    max_seconds: Annotated[
        float, typer.Option("--max-seconds", min=1.0, help="Longest clip, whatever its file's size.")
    ] = 120.0
    max_audio: Annotated[
        float, typer.Option("--max-audio", min=1.0, help="Seconds of audio in all clips of a request.")
    ] = 600.0
    max_recording: Annotated[
        float, typer.Option("--max-recording", min=1.0, help="Seconds of the longest recording to diarize.")
    ] = 4 * 3600.0
    max_recording_body: Annotated[
        int, typer.Option("--max-recording-body", min=1000, help="Bytes of the largest one.")
    ] = 256 << 20
    far_max: Annotated[
        float, typer.Option("--far-max", help="Highest false-accept rate that a request may ask for.")
    ] = 0.01
    allow_threshold: Annotated[
        bool, typer.Option("--allow-threshold", help="Let requests set the threshold themselves.")
    ] = False
    proxies: Annotated[
        list[str] | None,
        typer.Option("--proxy", help="Reverse proxy whose X-Forwarded-For is believed; repeatable."),
    ] = None
    log_json: Annotated[bool, typer.Option("--log-json", help="Write the log as JSON lines.")] = False
    adapt: Annotated[
        bool, typer.Option("--adapt", help="Let requests add clearly accepted clips to voiceprints.")
    ] = False
    allow_replay: AllowReplayOption = False
    challenge: Annotated[
        bool, typer.Option("--challenge", help="Verify only who says the words of a challenge; English.")
    ] = False


@examples(
    "voiceprint serve",
    "voiceprint serve --host 0.0.0.0 --port 8765 --processes 4",
    "voiceprint serve --proxy 127.0.0.1 --log-json",
    "voiceprint serve --liveness --spoof-far 0.01",
    "voiceprint serve --no-keys",
)
def serve(
    options: ServeOptions,
    live: LivenessOptions,
    store: StoreOption = None,
    model: ModelOption = None,
    state: StateOption = None,
) -> None:
    """Serve the REST API and its page, until Ctrl-C or SIGTERM.

    Make a key first: voiceprint keys create --scope verify.
    """
    from voiceprint.server.run import check, run
    from voiceprint.server.settings import ServerSettings

    settings = ServerSettings(
        **asdict(options)
        | {"origins": tuple(options.origins or ()), "proxies": tuple(options.proxies or ())},
        store=store,
        model=None if model is None else str(model),
        state=None if state is None else str(state),
        spoof_far=live.asked_far,
        countermeasure=None if live.countermeasure is None else str(live.countermeasure),
    )
    check(settings)
    host = f"[{options.host}]" if ":" in options.host else options.host
    typer.echo(f"serving on http://{host}:{options.port}", err=True)
    if not options.keyless and not _has_key(store, state):
        typer.echo(
            "there is no API key yet; make one: voiceprint keys create --scope enroll --scope verify",
            err=True,
        )
    run(settings)


@examples(
    "voiceprint keys create --scope verify --label 'call centre'",
    "voiceprint keys create --scope enroll --scope admin --json",
)
def create_key(
    scopes: Annotated[
        list[str],
        typer.Option(
            "--scope", help="verify: decide; enroll: see and make voiceprints; admin: remove; metrics."
        ),
    ],
    label: Annotated[str, typer.Option("--label", help="Whose it is.")] = "",
    store: StoreOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make an API key and print it, this once: only its hash is kept."""
    from voiceprint.server.audit import AuditLog
    from voiceprint.server.commands import by_command
    from voiceprint.server.keys import KeyRing

    with _state(store, state) as file:
        key, secret = KeyRing(file).create(scopes, label=label)
        AuditLog(file).append("key-created", **by_command(), created=key.id, scopes=list(key.scopes))
    made = {"id": key.id, "scopes": list(key.scopes), "label": label, "key": secret}
    print_answer(made, secret, as_json=as_json)


@examples("voiceprint keys list", "voiceprint keys list --json")
def list_keys(store: StoreOption = None, state: StateOption = None, as_json: JsonOption = False) -> None:
    """List the API keys, without their secrets."""
    from voiceprint.server.keys import KeyRing

    with _state(store, state, existing=True) as file:
        found = KeyRing(file).all()
    if as_json:
        print_json({"keys": found})
    elif not found:
        typer.echo("There are no keys yet.")
    else:
        print_table(["id", "scopes", "label", "created", "revoked"], [_key_row(key) for key in found])


@examples("voiceprint keys revoke 0123456789ab")
def revoke_key(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="As `voiceprint keys list` shows it.")],
    store: StoreOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Refuse an API key from now on; the row of a damaged key is deleted."""
    from voiceprint.server.audit import AuditLog
    from voiceprint.server.commands import by_command
    from voiceprint.server.keys import KeyRing

    with _state(store, state, existing=True) as file:
        KeyRing(file).revoke(key_id)
        AuditLog(file).append("key-revoked", **by_command(), revoked=key_id)
    print_answer({"revoked": key_id}, f"key {key_id} was revoked", as_json=as_json)


@examples("voiceprint audit verify", "voiceprint audit verify --head 5f1c... --json")
def verify_audit(
    head: Annotated[
        str | None, typer.Option("--head", help="A hash noted earlier, which must still be in the log.")
    ] = None,
    exported: Annotated[
        Path | None, typer.Option("--file", metavar="FILE", help="Check an exported log instead.")
    ] = None,
    store: StoreOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check that no entry of the audit log is missing or changed.

    Exits with 1 if one is. Note the printed hash elsewhere: with --head, a log that was cut off shows too.
    """
    from voiceprint.files.text import open_text
    from voiceprint.server.audit import AuditLog, check_chain, read_exported

    if exported is not None:
        with open_text(exported.open("rb")) as lines:
            found = check_chain(read_exported(lines), head=head)
    else:
        with _state(store, state, existing=True) as file:
            found = AuditLog(file).verify(head=head)
    if as_json:
        print_json(found)
    elif found.fault:
        typer.secho(plain(found.fault), fg=typer.colors.RED)
    else:
        typer.echo(f"{count(found.entries, 'entry', 'entries')}, none missing or changed; head {found.head}")
    raise typer.Exit(1 if found.fault else 0)


@examples("voiceprint audit export", "voiceprint audit export --after 1000")
def export_audit(
    after: Annotated[
        int,
        typer.Option(
            "--after", min=0, help="Only entries after this number, to append to an earlier export."
        ),
    ] = 0,
    store: StoreOption = None,
    state: StateOption = None,
) -> None:
    """Print the audit log, one JSON line an entry."""
    from voiceprint.server.audit import AuditLog, exported

    with _state(store, state, existing=True) as file:
        for record in AuditLog(file).records(after=after):
            typer.echo(exported(record))


keys = group(
    "Make, list and revoke the server's API keys.", create=create_key, list=list_keys, revoke=revoke_key
)
audit = group("Check and export the server's audit log.", verify=verify_audit, export=export_audit)


@contextmanager
def _state(store: str | None, state: Path | None, *, existing: bool = False) -> Iterator[StateFile]:
    """Open the server's file; `existing`: only if there is one, lest a mistyped place be found in order."""
    from voiceprint.errors import ServerError
    from voiceprint.server.settings import ServerSettings
    from voiceprint.server.state import STATE_NAME, StateFile

    folder = ServerSettings(store=store, state=None if state is None else str(state)).state_folder
    if existing and not (folder / STATE_NAME).is_file():
        raise ServerError(
            f"{folder} holds no keys and no audit log; name the server's own --store, or its --state"
        )
    with closing(StateFile(folder)) as file:
        yield file


def _has_key(store: str | None, state: Path | None) -> bool:
    from voiceprint.server.keys import KeyRing

    with _state(store, state) as file:
        return any(key.revoked is None for key in KeyRing(file).all())


def _key_row(key: ApiKey) -> tuple[str, ...]:
    revoked = "" if key.revoked is None else f"{key.revoked.astimezone():%Y-%m-%d %H:%M}"
    return (key.id, " ".join(key.scopes), key.label, f"{key.created.astimezone():%Y-%m-%d %H:%M}", revoked)
