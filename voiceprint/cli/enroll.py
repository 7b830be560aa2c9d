"""``voiceprint enroll``: one person from clips, or many from a folder of folders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from voiceprint.cli.advice import advice_for
from voiceprint.cli.commands import examples
from voiceprint.cli.consent import ConsentByOption, ExpiresOption, PurposeOption, consent_of, end_of
from voiceprint.cli.liveness import LivenessOptions
from voiceprint.cli.options import ChannelOption, JobsOption, JsonOption, ModelOption, StoreOption
from voiceprint.cli.process import PARTLY
from voiceprint.cli.ranges import EndOptions, clips_in
from voiceprint.cli.terminal import count, number, plain, print_json, print_table, progress_bar, progress_of

if TYPE_CHECKING:
    from voiceprint.audio.clips import ClipSource
    from voiceprint.engine.bulk import BulkResult
    from voiceprint.engine.enrollment import ClipReport, EnrollmentReport
    from voiceprint.engine.resemblance import Resemblance
    from voiceprint.engine.verifier import Verifier

Mode = Literal["new", "add", "replace"]

NotesOption = Annotated[str, typer.Option("--notes", help="Stored beside the voiceprint.")]
AddOption = Annotated[bool, typer.Option("--add", help="Add the clips to an existing voiceprint.")]
ReplaceOption = Annotated[bool, typer.Option("--replace", help="Replace an existing voiceprint.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceprintOptions(LivenessOptions):
    """What a voiceprint is to be, and what is noted with it."""

    add: AddOption = False
    replace: ReplaceOption = False
    min_speech: Annotated[
        float, typer.Option("--min-speech", help="Seconds of speech that a voiceprint needs in all.")
    ] = 3.0
    notes: NotesOption = ""
    consent_by: ConsentByOption = ""
    purpose: PurposeOption = ""
    expires: ExpiresOption = None
    keep_audio: Annotated[
        bool,
        typer.Option("--keep-audio", help="Keep the speech, to move to another model later; needs consent."),
    ] = False

    def __post_init__(self) -> None:
        chosen_mode(add=self.add, replace=self.replace)

    @property
    def mode(self) -> Mode:
        """What --add and --replace ask for."""
        return chosen_mode(add=self.add, replace=self.replace)


@examples(
    "voiceprint enroll ada ada-1.wav ada-2.wav",
    "voiceprint enroll ada recordings/ada --add",
    "voiceprint enroll ada meeting.wav --from 12.5 --to 31",
    "voiceprint enroll ada meeting.wav --turns 'meeting.rttm:speaker 2'",
    "voiceprint enroll ada ada-1.wav --keep-audio --consent-by ada --purpose 'telephone banking'",
    "voiceprint enroll ada ada-1.wav ada-2.wav --liveness",
    "voiceprint enroll --from recordings --jobs 4",
)
def enroll(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="The person.", show_default=False)
    ] = None,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="PATHS", help="Audio files, and folders of them.", show_default=False),
    ] = None,
    begin: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="FOLDER|TIME",
            help="Enroll everybody: each sub-folder is one person. With NAME: take a recording from here.",
        ),
    ] = None,
    *,
    part: EndOptions,
    voiceprint: VoiceprintOptions,
    channel: ChannelOption = None,
    jobs: JobsOption = None,
    store: StoreOption = None,
    model: ModelOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a voiceprint of a person from clips of their voice.

    Clips that cannot be read, hold too little speech, come twice or sound like another person are set aside
    and named; with --liveness, also those that sound like a machine. With --from, a run that was interrupted
    goes on when it is repeated; it exits with 3 where some people are refused or clips lie in nobody's
    folder, and with 2 where everybody is refused.
    """
    if begin is not None and name is None:
        if part.stop is not None or part.turns is not None:
            raise typer.BadParameter("--to and --turns are of one person's recording: give NAME and PATHS")
        if voiceprint.consent_by or voiceprint.purpose or voiceprint.expires:
            raise typer.BadParameter("consent is one person's: give a NAME, or use voiceprint consent set")
        if voiceprint.keep_audio:
            raise typer.BadParameter("--keep-audio takes one person's consent: give a NAME")
        if channel is not None:
            raise typer.BadParameter("--channel is for the clips of one person: give a NAME and its PATHS")
        with voiceprint.verifier(store, model, create=True) as verifier:
            _enroll_everybody(verifier, Path(begin), voiceprint, jobs, as_json)
    elif name is None or not paths:
        raise typer.BadParameter("give a NAME and its PATHS, or --from FOLDER")
    else:
        if begin is not None and Path(begin).is_dir():
            raise typer.BadParameter("give either NAME and PATHS or --from FOLDER, not both")
        clips = clips_in(paths, start=begin, stop=part.stop, turns=part.turns)
        with voiceprint.verifier(store, model, create=True) as verifier:
            report = _enroll_one(verifier, name, clips, voiceprint, channel=channel, quiet=as_json)
        print_json(enrollment_json(report)) if as_json else print_enrollment(report)


def chosen_mode(*, add: bool, replace: bool) -> Mode:
    """Return what --add and --replace ask for."""
    if add and replace:
        raise typer.BadParameter("give --add or --replace, not both")
    return "add" if add else "replace" if replace else "new"


def enrollment_json(report: EnrollmentReport) -> dict[str, object]:
    """Return what ``enroll --json`` prints."""
    return {
        "name": report.name,
        "clips_in_voiceprint": report.enrollment.n_utterances,
        "seconds_of_speech": report.enrollment.seconds_of_speech,
        "model": report.enrollment.model_id,
        "clips": report.clips,
        "resembles": report.resembles,
    }


def print_enrollment(report: EnrollmentReport) -> None:
    """Print each clip and what became of it, and the voiceprint that came of them."""
    print_clips(report.clips)
    print_set_aside(report.clips)
    used, aside = count(len(report.used), "clip"), len(report.set_aside)
    typer.secho(f"{plain(report.name)} is enrolled", fg=typer.colors.GREEN, bold=True, nl=False)
    typer.echo(f" with {used} of {number(sum_of_speech(report.used), 1)} s of speech", nl=False)
    typer.echo(f"; {count(aside, 'clip')} set aside" if aside else "")
    for other in report.resembles:
        typer.secho(f"warning: {plain(report.name)} {_resemblance(other)}", fg=typer.colors.YELLOW, err=True)


def _resemblance(other: Resemblance) -> str:
    if other.same_recordings:
        return (
            f"shares {count(other.same_recordings, 'recording')} with {plain(other.name)}, enrolled already"
        )
    return (
        f"sounds like {plain(other.name)}, enrolled already (LLR {number(other.llr, 1)}): "
        "one voice under two names, or twins"
    )


def sum_of_speech(clips: Sequence[ClipReport]) -> float:
    """Return the seconds of speech in clips."""
    return sum(clip.quality.seconds_of_speech for clip in clips if clip.quality)


def print_clips(clips: Sequence[ClipReport]) -> None:
    """Print a table of clips."""
    numbers = ["speech s", "level dB", "clipped %", "SNR dB", "agreement"]
    print_table(["clip", *numbers, ""], [_clip_row(clip) for clip in clips], right=numbers)


def print_set_aside(clips: Sequence[ClipReport]) -> None:
    """Print why clips are no part of the voiceprint."""
    for clip in clips:
        if clip.status != "used":
            advice = advice_for(clip.status)
            reason = f"{clip.reason}; {advice}" if advice else clip.reason
            typer.secho(f"set aside {plain(clip.source)}: {plain(reason)}", fg=typer.colors.YELLOW)


def _clip_row(clip: ClipReport) -> tuple[str, ...]:
    status = clip.status.replace("_", " ")
    if clip.quality is None:
        return (clip.source, "-", "-", "-", "-", "-", status)
    quality = clip.quality
    return (
        clip.source,
        number(quality.seconds_of_speech, 1),
        number(quality.level_dbfs, 0),
        number(100 * quality.clipped, 1),
        number(quality.snr_db, 0),
        number(clip.agreement),
        status,
    )


def _enroll_one(
    verifier: Verifier,
    name: str,
    clips: Sequence[ClipSource],
    voiceprint: VoiceprintOptions,
    *,
    channel: int | None,
    quiet: bool,
) -> EnrollmentReport:
    """Enroll one person; if their clips are refused, print what is known of each before the error."""
    from voiceprint.errors import EnrollmentError

    consent, expires = consent_of(voiceprint.consent_by, voiceprint.purpose), end_of(voiceprint.expires)
    verifier.check_enrolling(name, voiceprint.mode, min_speech=voiceprint.min_speech)
    if voiceprint.keep_audio:
        verifier.check_keeping(name, consent)
    with progress_of("listening", quiet=quiet) as progress:
        measured = verifier.measure(
            clips,
            channel=channel,
            keep_audio=voiceprint.keep_audio,
            progress=progress,
        )
    try:
        return verifier.enroll_measured(
            name,
            measured,
            mode=voiceprint.mode,
            min_speech=voiceprint.min_speech,
            notes=voiceprint.notes,
            consent=consent,
            expires=expires,
        )
    except EnrollmentError as error:
        if error.clips and not quiet:
            print_clips(error.clips)
            print_set_aside([clip for clip in error.clips if clip.reason not in str(error)])
        raise


def _enroll_everybody(
    verifier: Verifier, folder: Path, voiceprint: VoiceprintOptions, jobs: int | None, as_json: bool
) -> None:
    from voiceprint.audio import clips_beside_folders
    from voiceprint.engine.bulk import enroll_folders, speaker_folders
    from voiceprint.errors import VoiceprintError

    folders = speaker_folders(folder)
    nobodys = clips_beside_folders(folder)
    results = []
    with progress_bar(quiet=as_json) as progress:
        task = progress.add_task("enrolling", total=len(folders))
        for result in enroll_folders(
            verifier, folders, mode=voiceprint.mode, min_speech=voiceprint.min_speech, jobs=jobs
        ):
            results.append(result)
            progress.advance(task)
    print_json({"speakers": results, "nobodys": nobodys}) if as_json else _print_summary(results)
    for path in nobodys:
        typer.echo(f"left out: {plain(path)}: lies in nobody's folder; put it into one of a person", err=True)
    refused = [result for result in results if result.status == "refused"]
    for result in refused:
        reason = result.reason.removeprefix(f"{result.name}: ")
        typer.echo(f"refused: {plain(result.name)}: {plain(reason)}", err=True)
    if len(refused) == len(results):
        raise VoiceprintError(f"none of {count(len(results), 'person', 'people')} can be enrolled")
    if nobodys or refused:
        raise typer.Exit(PARTLY)


def _print_summary(results: Sequence[BulkResult]) -> None:
    rows = [(result.name, _remark(result)) for result in results if _remark(result)]
    if rows:
        print_table(["name", "remark"], rows)
    totals = Counter(result.status for result in results)
    typer.echo(
        f"{count(totals['enrolled'], 'person', 'people')} enrolled, {totals['skipped']} skipped, "
        f"{totals['refused']} refused"
    )
    if totals["skipped"] == len(results):
        typer.echo("everybody was enrolled already; there is nothing left to do")


def _remark(result: BulkResult) -> str:
    if result.status != "enrolled":
        return ""
    return "; ".join(
        [
            *(f"{Path(clip.source).name} set aside: {clip.reason}" for clip in result.clips if clip.reason),
            *(_resemblance(other) for other in result.resembles),
        ]
    )
