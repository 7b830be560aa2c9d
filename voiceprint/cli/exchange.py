"""``voiceprint export`` and ``import``: voiceprints in a file, without audio."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from voiceprint.cli.commands import examples
from voiceprint.cli.options import JsonOption, ModelOption, StoreOption
from voiceprint.cli.terminal import count, plain, print_answer
from voiceprint.cli.voiceprints import open_store

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from voiceprint.store import VoiceprintRecord


@examples("voiceprint export voices.npz", "voiceprint export ada.json --name ada")
def export(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A .npz or .json file to write.")],
    name: Annotated[
        list[str] | None, typer.Option("--name", help="Only this person; may be repeated.")
    ] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write voiceprints to a file, for a backup or another machine; it holds no audio.

    The whole store is written with who opted out.
    """
    from voiceprint.errors import StoreError
    from voiceprint.store import write_export  # numpy

    names: list[str] = []

    def noted(records: Iterable[VoiceprintRecord]) -> Iterator[VoiceprintRecord]:
        for record in records:
            names.append(record.name)
            yield record

    with open_store(store, read_only=True) as opened:
        model_id, dim = opened.model_id, opened.dim
        opt_outs = {} if name else opened.opt_outs()
        if model_id is None or dim is None or not (len(opened) or opt_outs):
            raise StoreError(
                f"{opened.path}: nobody is enrolled, there is nothing to export", path=str(opened.path)
            )
        records = noted(opened.export_records(name or None))
        write_export(path, records, model_id=model_id, dim=dim, opt_outs=opt_outs)
    also = f" and {count(len(opt_outs), 'opt-out')}" if opt_outs else ""
    said = f"{count(len(names), 'voiceprint')}{also} written to {plain(path)}"
    print_answer({"file": path, "names": names, "opt_outs": list(opt_outs)}, said, as_json=as_json)


@examples("voiceprint import voices.npz", "voiceprint import voices.json --existing skip")
def import_(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A file that export wrote.")],
    existing: Annotated[
        Literal["refuse", "skip", "add", "replace"],
        typer.Option("--existing", help="What to do with people who are enrolled already."),
    ] = "refuse",
    store: StoreOption = None,
    model: ModelOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take voiceprints in from a file, all of them or none.

    People who opted out where the file was written are opted out here too, and removed. With --existing add,
    clips that sound like another person than the one enrolled are set aside and named; the model's
    calibration tells, and only this needs the model.
    """
    from voiceprint.store import read_export  # numpy

    exported = read_export(path)
    if existing == "add":
        from voiceprint.engine.verifier import Verifier  # the model

        with Verifier(store, model=model) as verifier:
            report = verifier.import_people(exported, mode="add")
    else:
        with open_store(store, read_only=False) as opened:
            report = opened.import_records(
                exported.records,
                model_id=exported.model_id,
                dim=exported.dim,
                mode="new" if existing == "refuse" else existing,
                opt_outs=exported.opt_outs,
            )
    for clip in report.set_aside:
        typer.echo(
            f"set aside: {plain(clip.source)} of {plain(clip.name)}: sounds like another person", err=True
        )
    opted_out = f", {len(report.opted_out)} opted out" if report.opted_out else ""
    counts = f"{len(report.added)} added, {len(report.changed)} changed, {len(report.skipped)} skipped"
    aside = f", {count(len(report.set_aside), 'clip')} set aside" if report.set_aside else ""
    print_answer(report, counts + opted_out + aside, as_json=as_json)
