"""How trial lists are scored on the command line: the options, the cache, the run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from voiceprint.cli.options import JobsOption, ModelOption
from voiceprint.cli.terminal import plain, progress_of

if TYPE_CHECKING:
    from voiceprint.evaluation import EmbeddingCache, ModelScores
    from voiceprint.model import SpeakerModel
    from voiceprint.trials import TrialList

EnrollmentsOption = Annotated[
    Path | None,
    typer.Option("--enrollments", metavar="FILE", help="Defines the trials' models: model: clip clip clip."),
]
CorpusOption = Annotated[
    Path | None,
    typer.Option("--corpus", metavar="MANIFEST", help="Where the clips are, by id, and who speaks in them."),
]
RootOption = Annotated[
    Path | None,
    typer.Option(
        "--root",
        metavar="FOLDER",
        help="What clips are relative to, without --corpus.",
        show_default="the list's folder",
    ),
]
CacheOption = Annotated[
    Path | None,
    typer.Option(
        "--cache",
        envvar="VOICEPRINT_CACHE",
        metavar="FOLDER",
        help="Where embeddings are cached.",
        show_default="your cache folder",
    ),
]
NoCacheOption = Annotated[bool, typer.Option("--no-cache", help="Use no cache of embeddings.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingOptions:
    """How clips are embedded, and which embeddings are there already."""

    jobs: JobsOption = None
    cache: CacheOption = None
    no_cache: NoCacheOption = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringOptions:
    """How a trial list is scored by a model."""

    enrollments: EnrollmentsOption = None
    corpus: CorpusOption = None
    root: RootOption = None
    averaging: Annotated[
        Literal["centroid", "scores"],
        typer.Option(
            "--averaging", help="Average several enrollment clips, as verify does, or their scores."
        ),
    ] = "centroid"
    cohort: Annotated[
        Path | None,
        typer.Option("--cohort", metavar="MANIFEST", help="Normalise scores against its speakers (AS-norm)."),
    ] = None
    top_k: Annotated[int, typer.Option("--top-k", help="Number of nearest speakers of --cohort.")] = 300
    jobs: JobsOption = None
    cache: CacheOption = None
    no_cache: NoCacheOption = False
    model: ModelOption = None


def read_trial_list(trials: Path, enrollments: Path | None) -> TrialList:
    """Read a trial list, with the enrollment list that defines its models, if there is one."""
    from voiceprint.trials import read_enrollments, read_trials

    return read_trials(trials, enrollments=None if enrollments is None else read_enrollments(enrollments))


@contextmanager
def open_cache(
    model: SpeakerModel, how: EmbeddingOptions | ScoringOptions
) -> Iterator[EmbeddingCache | None]:
    """Open the embedding cache of a model, or nothing where there is to be none or none can be.

    What keeps the cache from working is said on standard error, and the work goes on without it.
    """
    from voiceprint.errors import NoHomeError
    from voiceprint.evaluation import EmbeddingCache, default_cache_path

    if how.no_cache:
        yield None
        return
    try:
        place = how.cache or default_cache_path()
    except NoHomeError as error:
        typer.echo(f"no embeddings are cached: {error}", err=True)
        yield None
        return
    with EmbeddingCache(place, model_id=model.id, dim=model.dim) as cache:
        yield cache
    if cache.trouble:
        typer.echo(f"no embeddings are cached: {plain(cache.trouble)}", err=True)


def run_model(listed: TrialList, trials: Path, how: ScoringOptions, *, quiet: bool) -> ModelScores:
    """Score a trial list, which was read from a file, by the model."""
    from voiceprint.corpus import read_manifest
    from voiceprint.evaluation import run_trials
    from voiceprint.model import SpeakerModel

    model = SpeakerModel.open(how.model)
    with (
        open_cache(model, how) as cache,
        progress_of("embedding", quiet=quiet) as progress,
    ):
        return run_trials(
            listed,
            model,
            corpus=None if how.corpus is None else read_manifest(how.corpus),
            root=trials.parent if how.root is None else how.root,
            averaging=how.averaging,
            cohort=None if how.cohort is None else read_manifest(how.cohort),
            top_k=how.top_k,
            cache=cache,
            jobs=how.jobs,
            progress=progress,
        )
