"""``voiceprint corpus``: make, count, split and check manifests of recorded speech."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from voiceprint.cli.commands import examples, group
from voiceprint.cli.options import JsonOption, ManifestArgument
from voiceprint.cli.process import PARTLY
from voiceprint.cli.terminal import count, plain, print_json, print_table, progress_of

if TYPE_CHECKING:
    from voiceprint.corpus import Finding, SplitStats

# The same words as voiceprint.corpus.Layout, which would be slow to import for --help.
LayoutName = Literal[
    "folders", "librispeech", "voxceleb", "speechocean762", "voxforge", "kaldi", "commonvoice"
]

_SHOWN = 20


@examples(
    "voiceprint corpus scan LibriSpeech", "voiceprint corpus scan recordings --layout folders -o corpus.csv"
)
def scan(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The corpus.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="The manifest.", show_default="FOLDER/manifest.csv"
        ),
    ] = None,
    layout: Annotated[
        LayoutName | None,
        typer.Option("--layout", help="How the folder is laid out.", show_default="detected from the files"),
    ] = None,
    max_unreadable: Annotated[
        float,
        typer.Option("--max-unreadable", help="Refuse above this fraction of bad files."),
    ] = 0.01,
    as_json: JsonOption = False,
) -> None:
    """Write the manifest of a folder of audio.

    Public layouts are known: a folder a speaker, LibriSpeech, VoxCeleb, speechocean762, VoxForge, Kaldi lists
    and Common Voice. Files that cannot be read are left out and named, and the exit code is 3.
    """
    from voiceprint.corpus import corpus_stats, scan_corpus, write_manifest

    file = folder / "manifest.csv" if output is None else output
    with progress_of("scanning", quiet=as_json) as progress:
        found = scan_corpus(
            folder,
            layout=layout,
            max_unreadable=max_unreadable,
            progress=progress,
        )
    write_manifest(found.corpus, file)
    stats = corpus_stats(found.corpus)
    unreadable = [each.reason for each in found.unreadable]
    if as_json:
        print_json(
            {
                "manifest": file,
                "layout": found.layout,
                "splits": stats,
                "unreadable": unreadable,
                "nobodys": found.nobodys,
            }
        )
    else:
        _print_stats(stats)
        typer.echo(f"{count(len(found.corpus), 'utterance')} ({found.layout}) in {plain(file)}")
    for reason in found.left_out:
        typer.echo(f"left out: {plain(reason)}", err=True)
    if found.left_out:
        raise typer.Exit(PARTLY)


@examples("voiceprint corpus stats corpus.csv", "voiceprint corpus stats LibriSpeech --json")
def stats(manifest: ManifestArgument, as_json: JsonOption = False) -> None:
    """Count the speakers, utterances and hours of each split."""
    from voiceprint.corpus import corpus_stats, read_manifest

    found = corpus_stats(read_manifest(manifest))
    if as_json:
        print_json({"splits": found})
    else:
        _print_stats(found)


@examples(
    "voiceprint corpus split corpus.csv -o split.csv",
    "voiceprint corpus split corpus.csv -o split.csv --shares train=0.9,test=0.1 --seed 7",
    "voiceprint corpus split VoxCeleb -o split.csv --only train --shares train=0.98,dev=0.02",
)
def split(
    manifest: ManifestArgument,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The new manifest.")],
    shares: Annotated[
        str, typer.Option("--shares", help="The fraction of the speakers in each split.")
    ] = "train=0.8,dev=0.1,test=0.1",
    only: Annotated[
        str | None,
        typer.Option("--only", metavar="SPLIT", help="Assign only speakers of this split."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the assignment.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Assign the speakers to splits at random; no speaker is in two."""
    from voiceprint.corpus import corpus_stats, read_manifest, split_corpus, write_manifest

    dealt = split_corpus(read_manifest(manifest), _shares(shares), only=only, seed=seed)
    write_manifest(dealt, output)
    found = corpus_stats(dealt)
    if as_json:
        print_json({"manifest": output, "splits": found})
    else:
        _print_stats(found)


@examples("voiceprint corpus check corpus.csv", "voiceprint corpus check corpus.csv --min-seconds 1 --json")
def check(
    manifest: ManifestArgument,
    min_seconds: Annotated[
        float, typer.Option("--min-seconds", help="Shorter utterances are too short.")
    ] = 0.5,
    max_clipped: Annotated[
        float,
        typer.Option("--max-clipped", help="Fraction of samples that may be clipped."),
    ] = 0.01,
    as_json: JsonOption = False,
) -> None:
    """Decode every utterance and list what is wrong.

    Finds duplicates, silence, clipping, short and unreadable utterances, lengths that the manifest has wrong,
    speakers with one utterance, and speakers in two splits. Exits with 1 if anything is found.
    """
    from voiceprint.corpus import check_corpus, read_manifest

    corpus = read_manifest(manifest)
    with progress_of("checking", quiet=as_json) as progress:
        findings = check_corpus(
            corpus,
            min_seconds=min_seconds,
            max_clipped=max_clipped,
            progress=progress,
        )
    if as_json:
        print_json({"utterances": len(corpus), "findings": findings})
    else:
        _print_findings(findings, len(corpus))
    raise typer.Exit(1 if findings else 0)


app = group(
    "Make, count, split and check manifests of recorded speech.",
    scan=scan,
    stats=stats,
    split=split,
    check=check,
)


def _shares(text: str) -> dict[str, float]:
    try:
        return {name.strip(): float(share) for name, share in (part.split("=") for part in text.split(","))}
    except ValueError:
        raise typer.BadParameter(f"--shares {text!r} is not like train=0.8,dev=0.1,test=0.1") from None


def _print_stats(found: tuple[SplitStats, ...]) -> None:
    columns = ["split", "speakers", "f", "m", "sessions", "utterances", "hours", "seconds", "per speaker"]
    rows = [
        (
            each.split or "-",
            each.speakers,
            each.genders.get("f", 0),
            each.genders.get("m", 0),
            each.sessions or "-",
            each.utterances,
            f"{each.hours:.2f}",
            "{:.1f} - {:.1f} - {:.1f}".format(*each.seconds),
            "{:.0f} - {:.0f} - {:.0f}".format(*each.per_speaker),
        )
        for each in found
    ]
    print_table(columns, rows, right=columns[1:])
    typer.echo("seconds and utterances per speaker: least - median - most")


def _print_findings(findings: tuple[Finding, ...], utterances: int) -> None:
    kinds = list(dict.fromkeys(finding.kind for finding in findings))
    for kind in kinds:
        of_kind = [finding for finding in findings if finding.kind == kind]
        typer.echo(f"{kind.replace('_', ' ')}: {len(of_kind)}")
        for finding in of_kind[:_SHOWN]:
            typer.echo(f"  {plain(finding.where)} {plain(finding.what)}")
        if len(of_kind) > _SHOWN:
            typer.echo(f"  and {len(of_kind) - _SHOWN} more (--json lists all)")
    typer.echo(f"{count(utterances, 'utterance')} checked, {count(len(findings), 'finding')}")
