"""``voiceprint embed``: audio files to an array of embeddings."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voiceprint.cli.commands import examples
from voiceprint.cli.options import ChannelOption, JobsOption, JsonOption, ModelOption
from voiceprint.cli.process import PARTLY
from voiceprint.cli.terminal import count, plain, print_answer, progress_bar
from voiceprint.errors import VoiceprintError
from voiceprint.files.text import decode_text
from voiceprint.files.whole import whole_file

if TYPE_CHECKING:
    from voiceprint.workers import EmbeddedFile


@examples(
    "voiceprint embed recordings -o embeddings.npz",
    "voiceprint embed --list files.txt -o embeddings.npz --jobs 4",
)
def embed(
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The .npz file to write.")],
    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="PATHS", help="Audio files, and folders of them.", show_default=False),
    ] = None,
    listed: Annotated[
        Path | None,
        typer.Option("--list", metavar="FILE", help="A file that names one audio file a line; - is stdin."),
    ] = None,
    channel: ChannelOption = None,
    jobs: JobsOption = None,
    model: ModelOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the embeddings of audio files to an npz file.

    It holds the arrays paths (n,) and embeddings (n, dim), in the order given, and failed: the files that
    cannot be embedded, which are also named on standard error. Exits with 3 where there are such files. Where
    none of the files can be embedded, nothing is written.
    """
    from voiceprint.model import SpeakerModel  # numpy and the audio libraries
    from voiceprint.workers import embed_files

    files = list(_expanded(_asked_for(paths, listed)))
    speaker_model = SpeakerModel.open(model)
    done: list[EmbeddedFile] = []
    with progress_bar(quiet=as_json) as progress:
        task = progress.add_task("embedding", total=len(files))
        for result in embed_files(files, speaker_model, channel=channel, jobs=jobs):
            done.append(result)
            progress.advance(task)
            if result.error:
                progress.console.print(
                    f"left out: {plain(result.error)}", markup=False, highlight=False, soft_wrap=True
                )
    if done and all(item.error for item in done):
        raise VoiceprintError(f"no file can be embedded ({len(done)} tried), so {output} is not written")
    embedded = _write(output, done, speaker_model.dim)
    document = {"file": output, "embedded": embedded, "failed": [item.path for item in done if item.error]}
    said = f"{count(embedded, 'file')} embedded, {len(done) - embedded} left out, in {plain(output)}"
    print_answer(document, said, as_json=as_json)
    if embedded < len(done):
        raise typer.Exit(PARTLY)


def _asked_for(paths: Sequence[str] | None, listed: Path | None) -> Sequence[str]:
    if (listed is None) == (not paths):
        raise typer.BadParameter("give either PATHS or --list FILE")
    if listed is None:
        return paths or []
    raw = sys.stdin.buffer.read() if str(listed) == "-" else listed.read_bytes()
    text = decode_text(raw, errors="surrogateescape")  # names of files need not be UTF-8
    return [line for line in text.splitlines() if line.strip()]


def _expanded(paths: Sequence[str]) -> Iterator[str]:
    """Yield the files, with folders replaced by the audio files in them."""
    from voiceprint.audio import find_audio  # the audio libraries

    for path in paths:
        if Path(path).is_dir():
            yield from map(str, find_audio([Path(path)]))
        else:
            yield path  # a missing file is left out and named, like one that cannot be read


def _write(output: Path, done: Sequence[EmbeddedFile], dim: int) -> int:
    """Write the npz file, in one step; return how many embeddings it holds."""
    import numpy as np

    rows = [(item.path, item.embedding) for item in done if item.embedding is not None]
    embeddings = np.array([embedding for _, embedding in rows], dtype=np.float32).reshape(-1, dim)
    paths = np.array([path for path, _ in rows], dtype=np.str_)
    failed = np.array([item.path for item in done if item.embedding is None], dtype=np.str_)
    with whole_file(output) as file:
        np.savez(file, paths=paths, embeddings=embeddings, failed=failed)
    return len(rows)
