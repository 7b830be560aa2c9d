from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from small_report import CONFUSED, SETTINGS, measure_small
from typer.testing import CliRunner

from benchmarks.default_model.accuracy_tables import accuracy_table, out_of_set_table, summarize
from voiceprint.audio.conditions import CONDITIONS
from voiceprint.calibration import Decider
from voiceprint.cli import app
from voiceprint.corpus import Corpus
from voiceprint.errors import ArgumentError, VoiceprintError
from voiceprint.evaluation import (
    Confusion,
    EmbeddedCorpus,
    Report,
    describe_environment,
    describe_model,
    limit_clips,
    measure_set,
)
from voiceprint.model import SpeakerModel
from voiceprint.percent import percent
from voiceprint.reports import render_page, report_dict, write_report
from voiceprint.reports.charts.canvas import Axis, Plot
from voiceprint.reports.html import one_in, table
from voiceprint.trials import make_trials, write_trials

runner = CliRunner()


@pytest.fixture(scope="module")
def report(corpus: Corpus, model: SpeakerModel, embedded: EmbeddedCorpus) -> Report:
    return Report(
        title="tiny <1>",
        models={"tiny <1>": describe_model(model), "a peer": {"title": "a peer"}},
        sets=(measure_small(corpus, embedded),),
        environment=describe_environment(),
        seeds={"all draws": 0},
        confusions=(Confusion(title="Two people", matrix=CONFUSED),),
    )


class Checker(HTMLParser):
    """Collects what a page refers to, and complains about tags that do not match."""

    VOID = frozenset({"meta", "link", "br", "img"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in {"href", "src"}:
                self.links.append(value or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def page(report: Report) -> str:
    return render_page(report)


def test_the_page_stands_alone_and_is_sound(page: str) -> None:
    checker = Checker()
    checker.feed(page)
    assert checker.open == []
    assert "script" not in checker.tags
    assert len(set(checker.ids)) == len(checker.ids)
    inner = [link[1:] for link in checker.links if link.startswith("#")]
    assert inner
    assert set(inner) <= set(checker.ids)
    assert all(link.startswith(("#", "data:", "file:///")) for link in checker.links)
    assert "url(http" not in page
    assert "@import" not in page


def test_the_first_screen_answers_the_question(page: str, report: Report) -> None:
    first = page[: page.index(f'<section id="{report.sets[0].name}"')]
    decision = report.sets[0].systems[0].main.decisions[1]
    assert "How often will it accept the wrong person?" in first
    assert f"{decision.false_accepts} of 120 wrong claims were accepted" in first
    assert "How often it rejects the right person" in first


def test_the_first_screen_says_that_one_set_is_not_the_world(page: str, report: Report) -> None:
    (first,) = report.sets
    rate = one_in(first.systems[0].main.decisions[1].p_fa.value)
    others = [replace(first, name=name) for name in ("elsewhere", "abroad")]
    assert "On the recordings of" not in page
    assert "Not people." in page[: page.index("wrong claims were accepted")]  # who these people are
    one = render_page(replace(report, sets=(first, others[0])))
    assert f"On the recordings of elsewhere: {rate}." in one
    two = render_page(replace(report, sets=(first, *others)))
    assert f"On the 2 other sets of recordings below: from {rate} (abroad) to {rate} (elsewhere)." in two


def test_every_chart_has_a_name_and_its_numbers(page: str) -> None:
    figures = re.findall(r'<figure class="chart">(.*?)</figure>', page, re.DOTALL)
    assert len(figures) >= 6
    for figure in figures:
        assert re.search(r'role="img" aria-label', figure)
        assert "<summary>The numbers</summary>" in figure
        assert "<td" in figure


def test_charts_are_well_formed_and_finite(page: str) -> None:
    drawings = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    assert len(drawings) > 8
    for drawing in drawings:
        ElementTree.fromstring(drawing.replace("class=in ", 'class="in" '))
        assert "nan" not in drawing
        assert "inf" not in drawing.replace("information", "")


def test_names_are_escaped(page: str) -> None:
    assert "tiny &lt;1&gt;" in page
    assert "tiny <1>" not in page


def test_a_model_without_thresholds_says_so(corpus: Corpus, embedded: EmbeddedCorpus) -> None:
    bare = replace(embedded, decider=Decider(calibration=None))
    measured = measure_set(corpus, [bare], replace(SETTINGS, conditions=()))
    page = render_page(Report(title="bare", models={"bare": {}}, sets=(measured,), environment={}, seeds={}))
    assert "the model has no calibration" in page
    assert "Do the log-likelihood ratios mean what they say?" not in page


def test_a_report_of_nothing_is_refused(tmp_path: Path) -> None:
    nothing = Report(title="bare", models={}, sets=(), environment={}, seeds={})
    with pytest.raises(ArgumentError, match="one measured set or more"):
        write_report(nothing, tmp_path / "page.html")
    assert not list(tmp_path.iterdir())


def test_the_json_holds_every_figure_and_nothing_that_json_does_not_know(
    report: Report, tmp_path: Path
) -> None:
    html, data = write_report(report, tmp_path / "deep" / "report.html")
    assert (html.name, data.name) == ("report.html", "report.json")
    read = json.loads(data.read_text(), parse_constant=lambda name: pytest.fail(f"{name} in the JSON"))
    assert read == json.loads(json.dumps(report_dict(report)))
    ours = read["sets"][0]["systems"][0]
    assert (
        ours["protocols"][1]["evaluation"]["metrics"]["eer"]
        == report.sets[0].systems[0].main.evaluation.metrics.eer
    )
    with pytest.raises(VoiceprintError, match=r"ends in \.html"):
        write_report(report, tmp_path / "report.json")


def test_the_tables_for_the_readme_quote_the_report(report: Report) -> None:
    summary, name = summarize(report), report.sets[0].name
    accuracy, named = accuracy_table(summary), out_of_set_table(summary)
    metrics = report.sets[0].systems[0].protocols[0].evaluation.metrics
    assert f"| {name} test | 6 | {percent(metrics.eer)} (" in accuracy
    assert accuracy.splitlines()[0].count("|") == accuracy.splitlines()[2].count("|") == 8
    assert named.splitlines()[2].startswith(f"| {name} test | 3 | 5.0 % |")
    assert json.loads(json.dumps(summary)) == summary


def test_no_line_ends_between_a_number_and_its_sign(page: str) -> None:
    body = page[page.index("<body") :]
    assert re.search("\\d\N{NO-BREAK SPACE}%", body)
    assert not re.search(r"\d %", body)


def test_a_classifier_stands_in_the_page(page: str) -> None:
    assert "Who was taken for whom" in page
    assert "7 of 8 are right" in page


@pytest.mark.parametrize(
    ("rate", "said"),
    [(0.0, "none"), (0.01, "1 in 100"), (0.27, "1 in 3.7"), (0.5, "1 in 2"), (1e-4, "1 in 10,000")],
)
def test_rates_are_said_in_words(rate: float, said: str) -> None:
    assert one_in(rate) == said


def test_an_axis_puts_values_where_they_belong() -> None:
    axis = Axis.linear("x", 0.0, 10.0)
    assert [text for _, text in axis.ticks] == ["0", "2", "4", "6", "8", "10"]
    assert (axis.place(0.0), axis.place(5.0), axis.place(10.0), axis.place(99.0)) == (0.0, 0.5, 1.0, 1.2)
    deviates = Axis.deviate("%", (0.1, 0.5, 0.9))
    assert deviates.place(0.5) == pytest.approx(0.5)
    assert (deviates.place(0.0), deviates.place(1.0)) == (-0.2, 1.2)


def test_what_lies_outside_a_plot_is_left_out() -> None:
    plot = Plot(x=Axis.linear("x", 0.0, 1.0), y=Axis.linear("y", 0.0, 1.0), title="t", description="d")
    plot.dot(0.5, 0.5, style="s1")
    plot.dot(0.5, 1.5, style="s1")
    assert plot.render().count("<circle") == 1


def test_cells_of_a_table_are_escaped() -> None:
    assert "&lt;b&gt;" in table(("<a>",), [("<b>",)])
    assert "<b>" not in table(("<a>",), [("<b>",)])


def test_evaluate_measures_conditions(corpus: Corpus, model_folder: Path, tmp_path: Path) -> None:
    few = limit_clips(corpus, 2, seed=0)
    trials = tmp_path / "trials.csv"
    write_trials(make_trials(few), trials, style="csv")
    manifest = corpus[0].path.parents[1] / "manifest.csv"
    arguments = [
        "evaluate", str(trials), "--corpus", str(manifest), "--model", str(model_folder), "--conditions",
        "--repetitions", "0", "--jobs", "1", "--cache", str(tmp_path),
    ]  # fmt: skip
    shown = runner.invoke(app, arguments)
    assert shown.exit_code == 0, shown.output
    assert "babble 5 dB" in shown.stdout
    assert "too few" in shown.stdout  # three women, three men
    harder = json.loads(runner.invoke(app, [*arguments, "--json"]).stdout)["harder"]
    assert [row["name"] for row in harder["conditions"]] == ["clean", *CONDITIONS]
    assert [row["seconds"] for row in harder["lengths"]] == [1.0, 2.0, 3.0, 5.0, None]
    refused = runner.invoke(app, ["evaluate", str(trials), "--conditions"])
    assert refused.exit_code == 2
    assert "--conditions needs --corpus" in refused.output


def test_the_command_writes_a_page_and_prints_a_table(
    corpus: Corpus, model_folder: Path, tmp_path: Path
) -> None:
    manifest = corpus[0].path.parents[1] / "manifest.csv"
    page = tmp_path / "report.html"
    (tmp_path / "classifier.json").write_text(json.dumps(CONFUSED.to_dict()))
    result = runner.invoke(
        app,
        [
            "report", str(model_folder), "--corpus", str(manifest), "-o", str(page), "--n-enroll", "2",
            "--no-conditions", "--repetitions", "20", "--limit", "3", "--jobs", "1", "--no-cache",
            "--confusion", str(tmp_path / "classifier.json"),
        ],
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert f"{corpus[0].corpus} test" in result.stdout
    assert "tiny 1" in result.stdout
    assert "<h3>classifier</h3>" in page.read_text()
    assert page.exists()
    assert page.with_suffix(".json").exists()
