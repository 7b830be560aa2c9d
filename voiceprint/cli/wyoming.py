"""``voiceprint wyoming``: the service that tells voice assistants who spoke."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from voiceprint.cli.commands import examples
from voiceprint.cli.liveness import LivenessOptions
from voiceprint.cli.options import FarOption, ModelOption, StoreOption


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptOptions:
    """What becomes of the transcript."""

    asr: Annotated[
        str | None,
        typer.Option("--asr", metavar="URI", help="Wyoming service that transcribes, such as Whisper's."),
    ] = None
    tag: Annotated[
        bool, typer.Option("--tag", help="Write the name in front of the transcript: [ada] ...")
    ] = False
    known_only: Annotated[
        bool, typer.Option("--known-only", help="Give an empty transcript unless somebody is identified.")
    ] = False


@examples(
    "voiceprint wyoming --uri tcp://127.0.0.1:10700",
    "voiceprint wyoming --asr tcp://127.0.0.1:10300 --tag",
    "voiceprint wyoming --asr tcp://127.0.0.1:10300 --known-only --far 0.001",
)
def wyoming(
    options: TranscriptOptions,
    live: LivenessOptions,
    uri: Annotated[
        str, typer.Option("--uri", metavar="URI", help="Where to listen: tcp://HOST:PORT or unix://PATH.")
    ] = "tcp://127.0.0.1:10700",
    far: FarOption = None,
    store: StoreOption = None,
    model: ModelOption = None,
) -> None:
    """Tell voice assistants who spoke, by the Wyoming protocol; until Ctrl-C or SIGTERM.

    It stands between the assistant and the service that transcribes. The protocol has no keys: whoever
    reaches the address may ask who speaks.
    """
    import asyncio

    from voiceprint.connectors.wyoming_service import WyomingSettings, serve_wyoming

    settings = WyomingSettings(asr=options.asr, tag=options.tag, known_only=options.known_only, far=far)
    with live.verifier(store, model) as verifier:
        verifier.store.names()  # what is wrong with the store is said before anybody speaks

        def ready() -> None:
            typer.echo(f"listening on {uri}", err=True)

        asyncio.run(serve_wyoming(uri, verifier, settings, ready=ready))
