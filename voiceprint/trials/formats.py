"""Trial lists and enrollment lists on disk.

The styles of a trial list:

``voxceleb``
    ``1 enroll.wav test.wav`` is a target trial, ``0 ...`` a nontarget one.
``kaldi``
    ``enroll test target`` or ``enroll test nontarget``.
``csv``
    A header with ``enroll,test,target``, then one trial a line; enrollment clips are joined with ``;``.

In all of them ``enroll`` may be a model that an enrollment list defines, as NIST evaluations have it:
``model: clip clip clip``.
"""

from __future__ import annotations

import csv
import io
import os
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from voiceprint.arguments import check_choice
from voiceprint.errors import TrialError
from voiceprint.files import text as text_file
from voiceprint.files.whole import write_whole
from voiceprint.trials.lists import EnrollmentModel, TrialList

Style = Literal["voxceleb", "kaldi", "csv"]
"""How a trial list is written."""

Lines = Iterator[tuple[int, str, str, str]]  # line number, enroll, test, label

COLUMNS = ("enroll", "test", "target")
JOINT = ";"

_LABELS: Mapping[Style, Mapping[str, bool]] = {
    "voxceleb": {"1": True, "0": False},
    "kaldi": {"target": True, "nontarget": False},
    "csv": {"target": True, "nontarget": False, "1": True, "0": False},
}


def read_trials(
    path: str | os.PathLike[str], *, enrollments: Mapping[str, tuple[str, ...]] | None = None
) -> TrialList:
    """Read a trial list of any style; its first line says which.

    Parameters
    ----------
    enrollments : mapping of str to tuple of str, optional
        The clips of each model, as `read_enrollments` gives them; then every ``enroll`` must be such a model.

    Returns
    -------
    TrialList
        A trial that is there twice is kept once, and counted in ``left_out``.

    Raises
    ------
    TrialError
        If the file cannot be read, a line is wrong, or two lines contradict each other; the message begins
        with file and line.

    Examples
    --------
    >>> _ = Path("list.txt").write_text("1 a.wav b.wav")
    >>> [(trial.enroll.name, trial.test, trial.target) for trial in read_trials("list.txt")]
    [('a.wav', 'b.wav', True)]
    """
    file = Path(path)
    text = read_trial_file(file)
    style = _style(text, file)
    lines = _csv_lines(text, file) if style == "csv" else _spaced_lines(text, file, style)
    return _collect(lines, file, style, enrollments)


def write_trials(trials: TrialList, path: str | os.PathLike[str], *, style: Style = "kaldi") -> None:
    """Write a trial list, whole or not at all.

    Where a model has several clips, `voxceleb` and `kaldi` name the model; `write_enrollments` defines it.

    Raises
    ------
    TrialError
        If a name does not fit the style, or the file cannot be written.

    Examples
    --------
    >>> from voiceprint.trials import make_trials, read_trials
    >>> write_trials(make_trials(corpus), "trials.txt")
    >>> len(read_trials("trials.txt"))
    300
    """
    check_choice("style", style, get_args(Style))
    words = ("0", "1") if style == "voxceleb" else ("nontarget", "target")
    labels = (words[target] for target in trials.target.astype(int))
    pattern = "{2} {0} {1}\n" if style == "voxceleb" else "{0} {1} {2}\n"
    write_rows(path, trials, labels, style=style, columns=COLUMNS, pattern=pattern)


def write_rows(
    path: str | os.PathLike[str],
    trials: TrialList,
    values: Iterable[str],
    *,
    style: Style,
    columns: Sequence[str],
    pattern: str = "{0} {1} {2}\n",
) -> None:
    """Write a line for each trial, whole or not at all: what it enrolls, its test, and a value of its own."""
    names = [fitting(claim(model, style), style) for model in trials.models]
    tests = [fitting(test, style) for test in trials.tests]
    each = zip(trials.enroll, trials.test, values, strict=True)
    rows = ((names[m], tests[t], value) for m, t, value in each)
    text = csv_text((columns, *rows)) if style == "csv" else "".join(pattern.format(*row) for row in rows)
    write_trial_file(Path(path), text)


def read_enrollments(path: str | os.PathLike[str]) -> dict[str, tuple[str, ...]]:
    """Read an enrollment list: lines of ``model: clip clip clip``; the colon may be missing, as in Kaldi.

    Raises
    ------
    TrialError
        If the file cannot be read, a line is wrong or a model is there twice.

    Examples
    --------
    >>> _ = Path("enrollments.txt").write_text("ada: ada/1.wav ada/2.wav")
    >>> read_enrollments("enrollments.txt")
    {'ada': ('ada/1.wav', 'ada/2.wav')}
    """
    file = Path(path)
    models: dict[str, tuple[str, ...]] = {}
    for number, line in enumerate(read_trial_file(file).splitlines(), start=1):
        name, *clips = line.split() or [""]
        if not name:
            continue
        name = name.removesuffix(":")
        if not clips or not name:
            raise TrialError(f"{file}:{number}: {line!r} is not of the form 'model: clip clip clip'")
        if name in models:
            raise TrialError(f"{file}:{number}: model {name!r} is defined twice")
        models[name] = tuple(clips)
    if not models:
        raise TrialError(f"{file}: defines no model")
    return models


def write_enrollments(models: Iterable[EnrollmentModel], path: str | os.PathLike[str]) -> None:
    """Write an enrollment list, whole or not at all.

    Raises
    ------
    TrialError
        If a name holds white space, or the file cannot be written.
    """
    lines = (
        f"{fitting(m.name, 'kaldi')}: {' '.join(fitting(clip, 'kaldi') for clip in m.clips)}\n"
        for m in models
    )
    write_trial_file(Path(path), "".join(lines))


def fitting(name: str, style: Style) -> str:
    """Return `name`, or raise TrialError where it would not come back from a list of that style."""
    if style == "csv":
        if name and name == name.strip() and not set(name) & {"\n", "\r", "\0"}:
            return name
        raise TrialError(f"{name!r} is empty, begins or ends with white space, or holds a line end")
    if name.split() != [name]:
        raise TrialError(f"{name!r} holds white space, which this style cannot hold: write style 'csv'")
    return name


def claim(model: EnrollmentModel, style: Style) -> str:
    """What stands for a model in a list: its one clip, its clips joined (CSV) or its name."""
    if len(model.clips) == 1:
        return model.clips[0]
    if style != "csv":
        return model.name
    for clip in model.clips:
        if JOINT in clip:
            raise TrialError(f"{clip!r} holds {JOINT!r}, which joins enrollment clips in a CSV list")
    return JOINT.join(model.clips)


def csv_text(rows: Iterable[Sequence[str]]) -> str:
    """Rows as the text of a CSV file."""
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue()


def read_trial_file(file: Path) -> str:
    """Text of a file; TrialError where it cannot be read."""
    try:
        return text_file.read_text(file)
    except FileNotFoundError as error:
        raise TrialError(f"{file}: there is no such file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise TrialError(f"{file}: cannot be read as text: {error}") from error


def write_trial_file(file: Path, text: str) -> None:
    """Write a file, whole or not at all; TrialError where it cannot be written."""
    try:
        write_whole(file, text)
    except OSError as error:
        raise TrialError(f"{file}: cannot be written: {error.strerror}") from error


def _style(text: str, file: Path) -> Style:
    lines = enumerate(io.StringIO(text), start=1)
    number, line = next(((number, line.strip()) for number, line in lines if line.strip()), (0, ""))
    if not line:
        raise TrialError(f"{file}: holds no trials")
    if set(COLUMNS) <= {column.strip(' \t"') for column in line.split(",")}:
        return "csv"
    fields = line.split()
    if fields[-1] in _LABELS["kaldi"]:  # first: an enrollment may well be called 1
        return "kaldi"
    if fields[0] in _LABELS["voxceleb"]:
        return "voxceleb"
    raise TrialError(
        f"{file}:{number}: {line!r} is no trial: expected '1 enroll test', 'enroll test target' or a CSV "
        "header with enroll,test,target"
    )


def _spaced_lines(text: str, file: Path, style: Style) -> Lines:
    for number, line in enumerate(io.StringIO(text), start=1):
        fields = line.split()
        if not fields:
            continue
        if len(fields) != 3:
            raise TrialError(
                f"{file}:{number}: has {len(fields)} fields and not 3; paths with spaces need the CSV style"
            )
        if style == "voxceleb":
            yield number, fields[1], fields[2], fields[0]
        else:
            yield number, fields[0], fields[1], fields[2]


def _csv_lines(text: str, file: Path) -> Lines:
    body = text.lstrip()
    above = text[: len(text) - len(body)].count("\n")
    reader = csv.DictReader(io.StringIO(body, newline=""), strict=True, skipinitialspace=True)
    try:
        reader.fieldnames = [name.strip() for name in reader.fieldnames or ()]
        for row in reader:
            number = above + reader.line_num
            enroll, test, label = (row[column] for column in COLUMNS)
            if not enroll or not test or label is None or None in row:
                raise TrialError(f"{file}:{number}: the line does not have the fields of the header")
            yield number, enroll, test, label
    except csv.Error as error:
        raise TrialError(f"{file}:{above + reader.reader.line_num}: is not CSV: {error}") from error


def _collect(
    lines: Lines, file: Path, style: Style, enrollments: Mapping[str, tuple[str, ...]] | None
) -> TrialList:
    labels = _LABELS[style]
    models: dict[str, int] = {}
    tests: dict[str, int] = {}
    columns = array("q"), array("q"), array("q"), array("q")  # model, test, label and line of each trial
    for number, enroll, test, label in lines:
        if label not in labels:
            raise TrialError(f"{file}:{number}: label {label!r} is not {' or '.join(map(repr, labels))}")
        if enrollments is not None and enroll not in enrollments:
            raise TrialError(f"{file}:{number}: model {enroll!r} is not in the enrollment list")
        trial = (
            models.setdefault(enroll, len(models)),
            tests.setdefault(test, len(tests)),
            labels[label],
            number,
        )
        for column, value in zip(columns, trial, strict=True):
            column.append(value)
    if not models:
        raise TrialError(f"{file}: holds no trials")
    first, repeated = _first_of_each(columns, list(models), list(tests), file)
    enrolled, tested, target, _ = (np.frombuffer(column, dtype=np.int64)[first] for column in columns)
    return TrialList(
        models=tuple(_model(name, style, enrollments) for name in models),
        tests=tuple(tests),
        enroll=enrolled.astype(np.int32),
        test=tested.astype(np.int32),
        target=target.astype(np.bool_),
        left_out=(f"{repeated} trials were there more than once and count once",) if repeated else (),
    )


def _first_of_each(
    columns: Sequence[array[int]], models: Sequence[str], tests: Sequence[str], file: Path
) -> tuple[NDArray[np.intp], int]:
    """Where each different trial is for the first time, in order, and how many are there again."""
    model, test, label, line = (np.frombuffer(column, dtype=np.int64) for column in columns)
    _, first, which = np.unique(model * len(tests) + test, return_index=True, return_inverse=True)
    earlier = first[which]
    wrong = np.flatnonzero(label != label[earlier])
    if len(wrong):
        i = int(wrong[0])
        raise TrialError(
            f"{file}:{line[i]}: {models[model[i]]!r} against {tests[test[i]]!r} contradicts line "
            f"{line[earlier[i]]}; remove one of them"
        )
    return np.sort(first), len(model) - len(first)


def _model(name: str, style: Style, enrollments: Mapping[str, tuple[str, ...]] | None) -> EnrollmentModel:
    if enrollments is not None:
        return EnrollmentModel(name=name, clips=enrollments[name])
    return EnrollmentModel(name=name, clips=tuple(name.split(JOINT)) if style == "csv" else (name,))
