"""``voiceprint benchmark``: n-shot k-way episodes, and open-set identification."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voiceprint.cli.commands import examples
from voiceprint.cli.evaluation import CacheOption, NoCacheOption, open_cache
from voiceprint.cli.options import JobsOption, JsonOption
from voiceprint.cli.terminal import count, plain, print_json, print_table, progress_bar

if TYPE_CHECKING:
    from voiceprint.benchmark import LabelledEmbeddings, OpenSetResult
    from voiceprint.corpus import Corpus
    from voiceprint.evaluation import EmbeddedClips
    from voiceprint.model import SpeakerModel

__all__ = ["benchmark"]


@examples(
    "voiceprint benchmark models/mine corpus.csv --split test",
    "voiceprint benchmark default corpus.csv --n 1,5 --k 2-20 --lengths 1,2,3,full --json",
)
def benchmark(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="Model folder, or default: the one that comes along.")
    ],
    manifest: Annotated[
        Path, typer.Argument(metavar="CORPUS", help="A manifest, or the folder of a manifest.csv.")
    ],
    split: Annotated[str | None, typer.Option("--split", help="Only utterances of this split.")] = None,
    n: Annotated[str, typer.Option("--n", help="Clips that each person is known by: 1,5 or 1-5.")] = "1,5",
    k: Annotated[str, typer.Option("--k", help="People to choose from: 2-20 or 5,20.")] = "2,5,10,20",
    lengths: Annotated[
        str, typer.Option("--lengths", help="Seconds of speech that clips are cut to: 1,2,3; full: not cut.")
    ] = "full",
    episodes: Annotated[int, typer.Option("--episodes", min=1, help="Of each kind.")] = 10_000,
    across_sessions: Annotated[
        bool, typer.Option("--across-sessions", help="Ask with a clip of another session.")
    ] = False,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the draws.")] = 0,
    jobs: JobsOption = None,
    cache: CacheOption = None,
    no_cache: NoCacheOption = False,
    as_json: JsonOption = False,
) -> None:
    """Measure how often the nearest of k people, each known by n clips, is the right one.

    Below each length: open-set identification, with half of the people enrolled by the largest n, and the
    others as strangers.
    """
    from voiceprint.benchmark import Benchmark, open_set
    from voiceprint.corpus import read_manifest
    from voiceprint.model import SpeakerModel

    shots, ways, cuts = _whole_numbers(n, "--n"), _whole_numbers(k, "--k"), _lengths(lengths)
    corpus = read_manifest(manifest)
    corpus = corpus if split is None else corpus.filter(split=split)
    speaker_model = SpeakerModel.open(None if model == "default" else model)
    embedded = _embed(
        corpus, speaker_model, cuts, jobs=jobs, folder=cache, caching=not no_cache, quiet=as_json
    )
    results = []
    for length, clips in zip(cuts, embedded, strict=True):
        labelled = _labelled(corpus, clips)
        grid = Benchmark(labelled, across_sessions=across_sessions)
        results.append(
            {
                "seconds": length,
                "clips": len(clips.names),
                "failed": clips.failed,
                "episodes": list(grid.grid(n=shots, k=ways, episodes=episodes, seed=seed)),
                "open_set": _open_set(open_set(labelled, n=max(shots), seed=seed)),
            }
        )
    if as_json:
        print_json({"model": speaker_model.card.name, "model_id": speaker_model.id, "lengths": results})
    else:
        for result in results:
            _print_length(result)


def _embed(
    corpus: Corpus,
    model: SpeakerModel,
    lengths: Sequence[float | None],
    *,
    jobs: int | None,
    folder: Path | None,
    caching: bool,
    quiet: bool,
) -> Iterator[EmbeddedClips]:
    from voiceprint.evaluation import corpus_files, embed_lengths

    with open_cache(model, folder=folder, caching=caching) as cache, progress_bar(quiet=quiet) as bar:
        task = bar.add_task("embedding", total=len(corpus))
        embedded = embed_lengths(
            corpus_files(corpus),
            model,
            lengths,
            cache=cache,
            jobs=jobs,
            progress=lambda done, _: bar.update(task, completed=done),
        )
    return (embedded[length] for length in lengths)


def _labelled(corpus: Corpus, clips: EmbeddedClips) -> LabelledEmbeddings:
    import numpy as np

    from voiceprint.benchmark import LabelledEmbeddings

    utterances = {u.id: u for u in corpus}
    of_clips = [utterances[name] for name in clips.names]
    return LabelledEmbeddings(
        embeddings=clips.embeddings,
        speakers=np.array([u.speaker_id for u in of_clips]),
        sessions=np.array([u.session_id for u in of_clips]),
    )


def _open_set(result: OpenSetResult) -> dict[str, Any]:
    names = ("rank1", "rates", "n", "enrolled", "draws", "n_known", "n_strangers")
    return {name: getattr(result, name) for name in names}


def _print_length(result: dict[str, Any]) -> None:
    cut = "whole clips" if result["seconds"] is None else f"{result['seconds']:g} s of speech"
    typer.echo(f"{cut}: {count(result['clips'], 'clip')}, {len(result['failed'])} left out")
    rows = [
        (
            each.n,
            each.k,
            _percent(each.accuracy),
            f"{_percent(each.low)} to {_percent(each.high)}",
            each.speakers,
        )
        for each in result["episodes"]
    ]
    columns = ["n", "k", "accuracy", "95 % interval", "speakers"]
    print_table(columns, rows, right=columns)
    excluded = result["episodes"][-1].excluded
    if excluded:
        typer.echo(f"{count(len(excluded), 'speaker')} with too few clips: {plain(', '.join(excluded[:10]))}")
    found = result["open_set"]
    rates = ", ".join(
        f"{_percent(rate.dir)} where {rate.p_fa:.0%} of strangers are named" for rate in found["rates"]
    )
    who = f"{found['enrolled']} enrolled with {found['n']} clips"
    typer.echo(f"open set, {who}: rank-1 {_percent(found['rank1'])}; {rates}")


def _whole_numbers(text: str, option: str) -> list[int]:
    try:
        parts = [part.split("-") for part in text.split(",")]
        numbers = [number for part in parts for number in range(int(part[0]), int(part[-1]) + 1)]
    except ValueError:
        numbers = []
    if not numbers or min(numbers) < 1 or any(len(part) > 2 for part in parts):
        raise typer.BadParameter(f"{option} {text!r} is not like 1,5 or 2-20")
    return numbers


def _lengths(text: str) -> list[float | None]:
    try:
        found = [None if part.strip() == "full" else float(part) for part in text.split(",")]
    except ValueError:
        found = []
    if not found or any(length is not None and not 0.1 <= length < 3600 for length in found):
        raise typer.BadParameter(f"--lengths {text!r} is not like 1,2,3 or 2,full, in seconds")
    return found


def _percent(rate: float) -> str:
    return f"{100 * rate:.1f} %"
