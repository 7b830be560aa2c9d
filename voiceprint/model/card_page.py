"""The model card for people: ``README.md`` of a model folder, rendered from what ``model.toml`` says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from voiceprint.calibration import Calibration, OpenSet
from voiceprint.model.card import ModelCard
from voiceprint.percent import percent

_RATES = (0.05, 0.01, 0.001)


def render_card(card: ModelCard) -> str:
    """Render a card as Markdown; what it does not hold is left out."""
    sections = [
        _head(card),
        _people(card.extra.get("classifier", {})),
        _training(card.training),
        _dev(card.measured),
        _beside(card.extra.get("beside", {})),
        _thresholds(card),
        _LIMITS,
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


_LIMITS = """## Use and limits

Made to tell whether two recordings are of the same person: enrollment, verification and identification of
people who agreed to it. Not made to find out who a stranger is, nor age, sex, origin or mood; and there is no
liveness check: a recording or a clone of the right voice is the right voice to it. Voices, languages and
microphones unlike those of the training speech are recognised less well. Measure on your own recordings
before you rely on it."""


def _head(card: ModelCard) -> str:
    facts = [
        (
            "embedding",
            f"{card.dim} numbers of unit length, from mono speech at {card.sample_rate // 1000} kHz",
        ),
        ("encoder", str(card.encoder.get("kind", ""))),
        ("licence of the weights", card.licence),
        ("id", f"`{card.id}`"),
    ]
    lines = [f"# {card.title}", "", *([card.description, ""] if card.description else [])]
    return "\n".join([*lines, *_table(("", ""), [(name, value) for name, value in facts if value])])


def _people(classifier: Mapping[str, Any]) -> str:
    if not classifier:
        return ""
    rejection = classifier.get("rejection", {})
    text = (
        f"## Whom it names\n\n{', '.join(classifier['names'])}. It knows nobody else: unless it "
        "is asked to reject others, an out-of-set speaker is given one of these names."
    )
    if rejection:
        text += (
            f" With it, a clip is nobody's below a similarity of {rejection['threshold']:.3f} "
            f"({rejection['how']})."
        )
    return text


def _training(training: Mapping[str, Any]) -> str:
    if not training:
        return ""
    parts = ["## What it was trained on"]
    rows = [
        *(_corpus(name, of) for name, of in training.get("speech", {}).items()),
        *(_corpus(f"{name} (mixed into the speech)", of) for name, of in training.get("noise", {}).items()),
    ]
    if rows:
        heads = ("corpus", "speakers", "clips", "hours", "licence", "source")
        parts.append("\n".join(_table(heads, rows)))
    losses = ", ".join(f"{name} x {weight:g}" for name, weight in training.get("losses", {}).items())
    said = [
        *([f"{training['steps']:,} steps"] if "steps" in training else []),
        *([f"seed {training['seed']}"] if "seed" in training else []),
        *([f"losses {losses}"] if losses else []),
    ]
    parts += ["; ".join(said) + "."] if said else []
    parts += [f"{training[key]}" for key in ("data", "teacher", "history") if training.get(key)]
    return "\n\n".join(parts)


def _corpus(name: str, of: Mapping[str, Any]) -> tuple[str, ...]:
    """A row of the data: how much, and under which terms."""
    speakers, licence = of.get("speakers", "-"), of.get("licence", "not stated")
    return name, str(speakers), str(of["utterances"]), f"{of['hours']:.1f}", licence, of.get("source", "")


def _dev(measured: Mapping[str, Any]) -> str:
    """The dev suite as corpora against conditions."""
    rates, intervals = measured.get("dev", {}), measured.get("dev_intervals", {})
    table = _by_condition(rates, intervals)
    if not table:
        return ""
    text = [
        "## Equal error rate on development speakers, %",
        "",
        f"{_dev_clips(measured.get('dev_suite', {}))} These clips chose between candidates.",
        *([f"The mean of all is {_rate('eer', rates, intervals)}."] if "eer" in rates else []),
        *([_INTERVALS] if intervals else []),
    ]
    return "\n".join([*text, "", *table])


def _beside(other: Mapping[str, Any]) -> str:
    """The same table of another model, to compare with."""
    if not other:
        return ""
    rates, intervals = other["dev"], other["dev_intervals"]
    facts = [f"`{other['id'][:12]}`", *([f"{other['steps']:,} steps"] if "steps" in other else [])]
    text = [f"For comparison, {other['title']} ({', '.join(facts)}): {other['description']}"]
    text += [f"The mean of all is {_rate('eer', rates, intervals)}."]
    return "\n".join([*text, "", *_by_condition(rates, intervals)])


def _by_condition(rates: Mapping[str, float], intervals: Mapping[str, Sequence[float]]) -> list[str]:
    """Rates as a table of corpora against conditions; empty where there are none."""
    named = [tuple(key.split("/")[1:]) for key in rates if key.startswith("eer/") and key.count("/") == 2]
    if not named:
        return []
    corpora = list(dict.fromkeys(corpus for corpus, _ in named))
    conditions = list(dict.fromkeys(condition for _, condition in named))
    rows = [
        (corpus, *(_rate(f"eer/{corpus}/{condition}", rates, intervals) for condition in conditions))
        for corpus in corpora
    ]
    return _table(("corpus", *conditions), rows)


_INTERVALS = """In brackets: where the rate lies for other speakers like these, 19 times in 20, by drawing the
speakers anew; of five or six speakers that is a rough guess."""


def _rate(name: str, rates: Mapping[str, float], intervals: Mapping[str, Sequence[float]]) -> str:
    said = f"{100 * rates[name]:.1f}"
    if name in intervals:
        low, high = intervals[name]
        said += f" ({100 * low:.1f} to {100 * high:.1f})"
    return said


def _dev_clips(suite: Mapping[str, Any]) -> str:
    """Which clips the rates are of; cards written by older versions do not say."""
    if not suite:
        return "Over all pairs of some of each corpus's clips."
    count = suite["clips_per_speaker"]
    which = f"the first {count} clips of every speaker" if count else "all clips"
    sizes = "; ".join(
        f"{name}: {of['speakers']} speakers, {of['utterances']} clips" for name, of in suite["speech"].items()
    )
    return f"Each corpus by itself, over all pairs of {which}, cut to {suite['longest_seconds']} s ({sizes})."


def _thresholds(card: ModelCard) -> str:
    calibration = card.calibration
    if calibration is None:
        return "## Thresholds\n\nNone: the model is not calibrated yet (`voiceprint calibrate`)."
    rows = [
        (
            str(cell.n_enroll),
            f"{cell.seconds:g}",
            percent(cell.eer),
            *(_threshold(calibration, cell.n_enroll, cell.seconds, rate) for rate in _RATES),
        )
        for cell in calibration.cells
    ]
    heads = ("clips enrolled", "seconds of speech", "EER", *(f"FAR {100 * rate:g} %" for rate in _RATES))
    text = (
        "## Thresholds\n\n"
        "The score from which a claim is accepted, by the false-accept rate (FAR) asked for; "
        "fitted on development\nspeakers. A star marks a rate that their trials are too few to measure: it "
        "is extrapolated conservatively."
    )
    return "\n".join([text, "", *_table(heads, rows), *_searches(card.open_set)])


def _searches(open_set: OpenSet | None) -> list[str]:
    """How a search decides, which these thresholds of claims do not say."""
    if open_set is None:
        return []
    return [
        "",
        "A search among several people compares the best score less "
        f"{open_set.gain:g} of the mean score of its {open_set.nearest} nearest\n"
        "rivals, enrolled or of the cohort, with thresholds of its own (`[open_set]`).",
    ]


def _threshold(calibration: Calibration, n_enroll: int, seconds: float, p_fa: float) -> str:
    threshold = calibration.threshold(p_fa=p_fa, n_enroll=n_enroll, seconds=seconds)
    return f"{threshold:.3f}{'' if calibration.resolves(p_fa, n_enroll=n_enroll, seconds=seconds) else '*'}"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [heads, ["---"] * len(heads), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]
