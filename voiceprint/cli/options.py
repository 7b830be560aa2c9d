"""The options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

StoreOption = Annotated[
    str | None,
    typer.Option(
        "--store",
        envvar="VOICEPRINT_STORE",
        help="Enrollment store: a folder, or postgresql://user@host/database.",
        metavar="STORE",
        show_default="./enrollments if it exists, else your data folder",
    ),
]

ModelOption = Annotated[
    Path | None,
    typer.Option(
        "--model",
        envvar="VOICEPRINT_MODEL",
        help="Model folder, the name of a registered model, or default.",
        show_default="the one in use, see voiceprint models list",
    ),
]

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]

FarOption = Annotated[
    float | None,
    typer.Option(
        "--far",
        help="How often an impostor may be accepted, as a fraction.",
        show_default="the model's, mostly 0.01",
    ),
]

ThresholdOption = Annotated[
    float | None,
    typer.Option("--threshold", help="Lowest score to accept, instead of --far."),
]

MinSpeechOption = Annotated[
    float, typer.Option("--min-speech", help="Seconds of speech below which there is no verdict.")
]

JobsOption = Annotated[
    int | None, typer.Option("--jobs", "-j", help="Processes.", show_default="one per processor")
]

ChannelOption = Annotated[
    int | None,
    typer.Option(
        "--channel",
        metavar="N",
        help="Channel to read, counted from 1, where channels hold different voices.",
        show_default="all, where they hold the same sound",
    ),
]

AllowReplayOption = Annotated[
    bool,
    typer.Option(
        "--allow-replay", help="Accept a recording that was enrolled, or accepted before; remember nothing."
    ),
]

CorporaOption = Annotated[
    Path,
    typer.Option(
        "--corpora",
        envvar="VOICEPRINT_CORPORA",
        help="Folder of the corpora, each a folder with a manifest.csv.",
    ),
]

ManifestArgument = Annotated[
    Path, typer.Argument(metavar="CORPUS", help="A manifest, or the folder of a manifest.csv.")
]

# The words of voiceprint.training.export.from_run.Checkpoint, which would be slow to import for --help.
CheckpointName = Literal["best", "last"]

ResumeOption = Annotated[bool, typer.Option("--resume", help="Continue the run from its last checkpoint.")]

ThreadsOption = Annotated[int, typer.Option(help="Threads of the encoder; one is often fastest.")]

ExportOption = Annotated[
    Path | None, typer.Option(metavar="FOLDER", help="Write the best checkpoint as a model folder, too.")
]

DeviceOption = Annotated[str, typer.Option("--device", help="Where the encoder runs: cpu or cuda.")]

OverwriteOption = Annotated[
    bool, typer.Option("--overwrite", help="Replace the model folder that --output names.")
]

StateOption = Annotated[
    Path | None,
    typer.Option(
        "--state",
        envvar="VOICEPRINT_SERVER_STATE",
        help="Folder of the server's keys and audit log.",
        show_default="server, in the store's folder",
    ),
]

SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a value of the recipe; may be repeated."),
]
