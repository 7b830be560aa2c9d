"""``voiceprint store``: move all voiceprints from one store to another, and rewrite what removals left."""

from __future__ import annotations

from typing import Annotated

import typer

from voiceprint.cli.commands import examples, group
from voiceprint.cli.options import JsonOption, StoreOption
from voiceprint.cli.terminal import count, plain, print_answer, print_json
from voiceprint.cli.upgrade import upgrade
from voiceprint.cli.voiceprints import NameArgument, open_store


@examples(
    "voiceprint store copy enrollments postgresql://voiceprint@db.example.com/voices",
    "voiceprint store copy postgresql://voiceprint@db.example.com/voices backup",
)
def copy(
    source: Annotated[str, typer.Argument(metavar="FROM", help="The store to read, a folder or URL.")],
    target: Annotated[str, typer.Argument(metavar="TO", help="The store to fill; made if it is not there.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace people of TO whose voiceprints differ.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Copy everybody from one store to another, then compare the two.

    Interrupted, run it again: it goes on where it stopped. People who are only in TO stay.
    """
    from voiceprint.engine.tuning import TUNING_FILE
    from voiceprint.store import copy_store  # numpy, a database

    with open_store(source, read_only=True) as read, open_store(target, read_only=False) as written:
        report = copy_store(read, written, replace=replace)
        tuning = read.read_document(TUNING_FILE)
        if tuning is not None:
            written.write_document(TUNING_FILE, tuning)
        named, kept = plain(written.path), read.stats().n_kept
    if as_json:
        print_json(report)
        return
    typer.echo(f"{count(report.copied, 'voiceprint')} copied, {report.present} there already")
    for name in report.opted_out:
        typer.echo(f"{plain(name)} opted out in {named} and was left out")
    if kept:
        typer.echo(f"the kept speech of {count(kept, 'clip')} stays behind; voiceprint backup takes it along")
    typer.echo(f"{report.total} in both stores are the same, sha256 {report.checksum}")


@examples("voiceprint store erase --store postgresql://voiceprint@db.example.com/voices")
def erase(store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Rewrite the store's files, so that they hold nothing of who was removed.

    A folder does so with every removal. In PostgreSQL it takes a while, and others wait for it.
    """
    with open_store(store, read_only=False) as opened:
        opened.erase()
    print_answer({"erased": True}, "nothing is left of who was removed", as_json=as_json)


@examples("voiceprint store forget-audio ada")
def forget_audio(name: NameArgument, store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Erase the speech that was kept of a person; the voiceprint stays."""
    with open_store(store, read_only=False) as opened:
        forgotten = opened.forget_audio(name)
    said = f"the kept speech of {plain(name)} was erased" if forgotten else "none was kept"
    print_answer({"name": name, "forgotten": forgotten}, said, as_json=as_json)


app = group(
    "Copy a store to another place or kind, move it to another model, and erase what was left or kept.",
    copy=copy,
    upgrade=upgrade,
    erase=erase,
    **{"forget-audio": forget_audio},
)
