"""``voiceprint trials``: make and check trial lists."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from voiceprint.cli.commands import examples, group
from voiceprint.cli.options import JsonOption, ManifestArgument
from voiceprint.cli.scoring import CorpusOption, EnrollmentsOption, RootOption, read_trial_list
from voiceprint.cli.terminal import count, plain, print_json

StyleName = Literal["voxceleb", "kaldi", "csv"]

_SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRules:
    """Which trials are made; the arguments of `make_trials`."""

    n_enroll: Annotated[int, typer.Option("--n-enroll", help="Enrollment clips of each model.")] = 1
    targets: Annotated[
        int | None, typer.Option("--targets", help="Draw this many target trials.", show_default="all")
    ] = None
    nontargets: Annotated[
        int | None,
        typer.Option("--nontargets", help="Draw this many nontarget trials.", show_default="all"),
    ] = None
    same_gender: Annotated[
        bool, typer.Option("--same-gender", help="Only nontarget trials within a gender.")
    ] = False
    cross_session: Annotated[
        bool, typer.Option("--cross-session", help="Only target trials between sessions.")
    ] = False
    seed: Annotated[int, typer.Option("--seed", help="Seed of the draws.")] = 0


@examples(
    "voiceprint trials make corpus.csv -o trials.txt --split test",
    "voiceprint trials make corpus.csv -o trials.csv --style csv --n-enroll 5 --targets 500 --same-gender",
    "voiceprint trials make corpus.csv -o trials.txt --models models.txt --n-enroll 3 --cross-session",
)
def make(
    manifest: ManifestArgument,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The trial list.")],
    rules: TrialRules,
    split: Annotated[str | None, typer.Option("--split", help="Only utterances of this split.")] = None,
    style: Annotated[StyleName, typer.Option("--style", help="How the list is written.")] = "kaldi",
    models: Annotated[
        Path | None,
        typer.Option(
            "--models", metavar="FILE", help="Where to define models of several clips (not for csv)."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a trial list: all pairs of a corpus's utterances, or models of several clips against the rest."""
    from voiceprint.corpus import read_manifest
    from voiceprint.trials import make_trials, write_enrollments, write_trials

    if rules.n_enroll > 1 and style != "csv" and models is None:
        raise typer.BadParameter("models of several clips need --models FILE, or --style csv")
    corpus = read_manifest(manifest)
    trials = make_trials(corpus if split is None else corpus.filter(split=split), **asdict(rules))
    write_trials(trials, output, style=style)
    if models is not None:
        write_enrollments(trials.models, models)
    found = int(trials.target.sum())
    if as_json:
        counts = {"targets": found, "nontargets": len(trials) - found, "left_out": trials.left_out}
        print_json({"trials": output, "models": models} | counts)
        return
    for sentence in trials.left_out:
        typer.echo(plain(sentence), err=True)
    typer.echo(f"{count(found, 'target trial')}, {len(trials) - found} nontarget, in {plain(output)}")


@examples(
    "voiceprint trials check trials.txt --root clips",
    "voiceprint trials check trials.txt --enrollments models.txt --corpus corpus.csv --json",
)
def check(
    listed: Annotated[Path, typer.Argument(metavar="TRIALS", help="The trial list.")],
    enrollments: EnrollmentsOption = None,
    corpus: CorpusOption = None,
    root: RootOption = None,
    as_json: JsonOption = False,
) -> None:
    """Count the trials of a list, and look for their clips.

    Exits with 1 if clips are missing, a kind of trial is missing, or a clip is tested against itself.
    """
    from voiceprint.corpus import read_manifest
    from voiceprint.evaluation import find_files

    trials = read_trial_list(listed, enrollments)
    known = None if corpus is None else read_manifest(corpus)
    files = find_files(trials.clips, root=listed.parent if root is None else root, corpus=known)
    missing = [file.name for file in files if not file.path.is_file()]
    targets = int(trials.target.sum())
    counts = {
        "targets": targets,
        "nontargets": len(trials) - targets,
        "models": len(trials.models),
        "clips": len(files),
        "against_themselves": trials.self_trials,
    }
    if as_json:
        print_json(counts | {"missing": missing, "left_out": trials.left_out})
    else:
        for name, value in counts.items():
            typer.echo(f"{name.replace('_', ' ')}: {value}")
        for sentence in trials.left_out:
            typer.echo(plain(sentence))
        typer.echo(f"missing clips: {len(missing)}")
        for name in missing[:_SHOWN]:
            typer.echo(f"  {plain(name)}")
    bad = missing or trials.self_trials or targets in {0, len(trials)}
    raise typer.Exit(1 if bad else 0)


app = group("Make and check trial lists.", make=make, check=check)
