"""``voiceprint benchmark``: n-shot k-way episodes, and open-set identification."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voiceprint.cli.commands import examples
from voiceprint.cli.options import JsonOption, ManifestArgument
from voiceprint.cli.report import model_titles
from voiceprint.cli.scoring import EmbeddingOptions, open_cache
from voiceprint.cli.terminal import count, plain, print_json, print_table, progress_of
from voiceprint.percent import percent, percent_range

if TYPE_CHECKING:
    from voiceprint.corpus import Corpus
    from voiceprint.evaluation import EmbeddedClips
    from voiceprint.evaluation.benchmark import LabelledEmbeddings, OpenSetResult
    from voiceprint.model import SpeakerModel


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeOptions:
    """What is measured."""

    n: Annotated[str, typer.Option("--n", help="Clips that each person is known by: 1,5 or 1-5.")] = "1,5"
    k: Annotated[str, typer.Option("--k", help="People to choose from: 2-20 or 5,20.")] = "2,5,10,20"
    lengths: Annotated[
        str, typer.Option("--lengths", help="Seconds of speech that clips are cut to: 1,2,3; full: not cut.")
    ] = "full"
    episodes: Annotated[int, typer.Option("--episodes", help="Episodes of each n and k.")] = 10_000
    across_sessions: Annotated[
        bool, typer.Option("--across-sessions", help="Ask with a clip of another session.")
    ] = False
    seed: Annotated[int, typer.Option("--seed", help="Seed of the draws.")] = 0

    def __post_init__(self) -> None:
        self.shots, self.ways, self.seconds  # noqa: B018  refuse what is none, before anything is embedded

    @property
    def shots(self) -> list[int]:
        """Clips that each person is known by."""
        return _whole_numbers(self.n, "--n")

    @property
    def ways(self) -> list[int]:
        """People to choose from."""
        return _whole_numbers(self.k, "--k")

    @property
    def seconds(self) -> list[float | None]:
        """Lengths of clips; None: not cut."""
        return _lengths(self.lengths)


@examples(
    "voiceprint benchmark models/mine corpus.csv --split test",
    "voiceprint benchmark default corpus.csv --n 1,5 --k 2-20 --lengths 1,2,3,full --json",
    "voiceprint benchmark models/mine default corpus.csv --figure shots.html",
)
def benchmark(
    models: Annotated[
        list[str],
        typer.Argument(metavar="MODEL", help="Model folders, or default: the packaged one."),
    ],
    manifest: ManifestArgument,
    episodes: EpisodeOptions,
    split: Annotated[str | None, typer.Option("--split", help="Only utterances of this split.")] = None,
    figure: Annotated[
        Path | None,
        typer.Option("--figure", metavar="FILE", help="Also draw accuracy against k for every model (HTML)."),
    ] = None,
    *,
    embedding: EmbeddingOptions,
    as_json: JsonOption = False,
) -> None:
    """Measure how often the nearest of k people, each known by n clips, is the right one.

    Below each length: open-set identification, with half of the people enrolled by the largest n, and the
    others as out-of-set speakers.
    """
    from voiceprint.corpus import read_manifest
    from voiceprint.model import SpeakerModel

    corpus = read_manifest(manifest)
    corpus = corpus if split is None else corpus.filter(split=split)
    opened = [SpeakerModel.open(name) for name in models]
    found = []
    for title, model in zip(model_titles(opened), opened, strict=True):
        clips = _embed(corpus, model, episodes.seconds, embedding, quiet=as_json)
        results = [_measure(corpus, of_length, length, episodes) for length, of_length in clips.items()]
        found.append({"model": title, "model_id": model.id, "lengths": results})
        if not as_json:
            _print_model(title if len(opened) > 1 else "", results)
    if as_json:
        print_json({"models": found})
    if figure is not None:
        _draw(figure, corpus, found, episodes)


def _measure(
    corpus: Corpus, clips: EmbeddedClips, length: float | None, asked: EpisodeOptions
) -> dict[str, Any]:
    from voiceprint.evaluation.benchmark import Benchmark, open_set

    labelled = _labelled(corpus, clips)
    grid = Benchmark(labelled, across_sessions=asked.across_sessions)
    return {
        "seconds": length,
        "clips": len(clips.names),
        "failed": clips.failed,
        "episodes": list(grid.grid(n=asked.shots, k=asked.ways, episodes=asked.episodes, seed=asked.seed)),
        "open_set": _open_set(open_set(labelled, n=max(asked.shots), seed=asked.seed)),
    }


def _draw(page: Path, corpus: Corpus, found: Sequence[dict[str, Any]], asked: EpisodeOptions) -> None:
    """A row of charts for each length, a chart for each n, a line for each model."""
    from voiceprint.reports import write_figures
    from voiceprint.reports.charts import shots_chart

    name = corpus[0].corpus
    figures = [
        replace(chart, title=f"{chart.title}, {_cut(length)}")
        for place, length in enumerate(asked.seconds)
        for n in asked.shots
        if (
            chart := shots_chart(
                [(one["model"], one["lengths"][place]["episodes"]) for one in found], n, where=name
            )
        )
    ]
    note = f"{len(corpus.speakers)} speakers of {name}, {len(corpus)} clips; seed {asked.seed}."
    write_figures("Naming one of k people by a few clips", note, figures, page)
    typer.echo(f"{plain(page)} was written", err=True)


def _embed(
    corpus: Corpus,
    model: SpeakerModel,
    lengths: Sequence[float | None],
    how: EmbeddingOptions,
    *,
    quiet: bool,
) -> dict[float | None, EmbeddedClips]:
    from voiceprint.evaluation import corpus_files, embed_lengths

    with (
        open_cache(model, how) as cache,
        progress_of("embedding", quiet=quiet) as progress,
    ):
        return embed_lengths(
            corpus_files(corpus),
            model,
            lengths,
            cache=cache,
            jobs=how.jobs,
            progress=progress,
        )


def _labelled(corpus: Corpus, clips: EmbeddedClips) -> LabelledEmbeddings:
    import numpy as np

    from voiceprint.evaluation.benchmark import LabelledEmbeddings

    utterances = {u.id: u for u in corpus}
    of_clips = [utterances[name] for name in clips.names]
    return LabelledEmbeddings(
        embeddings=clips.embeddings,
        speakers=np.array([u.speaker_id for u in of_clips]),
        sessions=np.array([u.session_id for u in of_clips]),
    )


def _open_set(result: OpenSetResult) -> dict[str, Any]:
    names = ("rank1", "rates", "n", "enrolled", "draws", "n_known", "n_out_of_set")
    return {name: getattr(result, name) for name in names}


def _print_model(title: str, results: Sequence[dict[str, Any]]) -> None:
    if title:
        typer.secho(plain(title), bold=True)
    for result in results:
        _print_length(result)


def _cut(seconds: float | None) -> str:
    return "whole clips" if seconds is None else f"{seconds:g} s of speech"


def _print_length(result: dict[str, Any]) -> None:
    typer.echo(
        f"{_cut(result['seconds'])}: {count(result['clips'], 'clip')}, {len(result['failed'])} left out"
    )
    rows = [
        (
            each.n,
            each.k,
            percent(each.accuracy),
            percent_range(each.low, each.high),
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
        f"{percent(rate.dir)} where {percent(rate.p_fa)} of out-of-set clips are named"
        for rate in found["rates"]
    )
    who = f"{found['enrolled']} enrolled with {found['n']} clips"
    typer.echo(f"open set, {who}: rank-1 {percent(found['rank1'])}; {rates}")


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
