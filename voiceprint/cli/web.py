"""``voiceprint web``: a site on which voices are enrolled and recognised in the browser, without a server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from voiceprint.cli.commands import examples, group
from voiceprint.cli.liveness import CountermeasureOption, LivenessOptions, SpoofFarOption
from voiceprint.cli.options import JsonOption, ModelOption
from voiceprint.cli.terminal import plain, print_json


@examples(
    "voiceprint web build -o site",
    "voiceprint web build -o site --liveness",
    "voiceprint web build -o site --weights original --overwrite",
)
def build(
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", help="Folder to write.")],
    weights: Annotated[
        Literal["int8", "original"],
        typer.Option(
            "--weights", help="The encoder's weights in 8 bits, or as they are: twice the download."
        ),
    ] = "int8",
    runtime: Annotated[
        Path | None,
        typer.Option(
            "--runtime",
            metavar="FILE",
            help="ort-wasm-simd-threaded.wasm of onnxruntime-web.",
            show_default="the one beside the built scripts",
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the site that --output names.")
    ] = False,
    liveness: Annotated[
        bool, typer.Option("--liveness", help="Refuse machines and loudspeakers, too: 1 MB more.")
    ] = False,
    spoof_far: SpoofFarOption = None,
    countermeasure: CountermeasureOption = None,
    model: ModelOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a folder of static files that enrolls and recognises people in a browser tab.

    Any web server can serve it. Nothing that is recorded leaves the tab, and it works without a network once
    it was opened. Weights in 8 bits need the extra models. See docs/how-to/browser.md.
    """
    from voiceprint.countermeasure import LivenessCheck  # numpy
    from voiceprint.model import SpeakerModel
    from voiceprint.web import build_site

    asked = LivenessOptions(liveness=liveness, spoof_far=spoof_far, countermeasure=countermeasure).asked_far
    site = build_site(
        output,
        model=SpeakerModel.open(model),
        weights=weights,
        liveness=None if asked is None else LivenessCheck.open(countermeasure, spoof_far=asked),
        runtime=runtime,
        overwrite=overwrite,
    )
    if as_json:
        print_json(site)
        return
    least = site.least_cosine
    loss = "" if least is None else f"; in 8 bits its embeddings keep a cosine of {least:.4f}"
    typer.echo(f"{plain(output)} is written: {site.bytes_in_all / 1e6:.1f} MB in all")
    typer.echo(f"The model takes {site.bytes_of_model / 1e6:.1f} MB of them{loss}.")
    typer.echo(f"Try it: python3 -m http.server --directory {plain(output)} 8000, then http://localhost:8000")


app = group("A site that recognises people in the browser, without a server.", build=build)
