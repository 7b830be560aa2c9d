"""``voiceprint models convert``: a model for other runtimes, such as those of phones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from voiceprint.cli.commands import examples
from voiceprint.cli.options import JsonOption
from voiceprint.cli.terminal import plain, print_json


@examples(
    "voiceprint models convert default --format ort -o phone",
    "voiceprint models convert default --format tflite -o phone",
    "voiceprint models convert default --format coreml -o iphone",
    "voiceprint models convert default --format onnx-int8 -o small",
)
def convert(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="NAME, NAME@VERSION, the folder of a model, or default.")
    ],
    runtime_format: Annotated[
        Literal["ort", "onnx-int8", "tflite", "coreml"],
        typer.Option("--format", help="ONNX Runtime's, ONNX with weights in 8 bits, LiteRT's or Core ML's."),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", help="Folder to write.")],
    as_json: JsonOption = False,
) -> None:
    """Write a model for another runtime: encoder, speech detector, cohort, and the card as JSON.

    Of a classifier there are also the names of its people, and the encoder gives their probabilities. With
    --format ort there is also the list of operators that a reduced build of the runtime needs. Needs the
    extra models, for tflite the extra convert, for coreml the extra coreml. See docs/how-to/phone.md.
    """
    from voiceprint.model import SpeakerModel  # numpy
    from voiceprint.web.runtimes import convert_model

    made = convert_model(SpeakerModel.open(model), output, runtime_format=runtime_format)
    if as_json:
        print_json(made)
        return
    alike = "its operators and shapes were checked, but only Apple's systems run it"
    if made.least_cosine is not None:
        alike = f"its embeddings keep a cosine of {made.least_cosine:.6f}"
    typer.echo(
        f"{plain(output)} is written: {made.bytes_in_all / 1e6:.1f} MB in all, the encoder in "
        f"{plain(made.encoder)}; {alike}"
    )
