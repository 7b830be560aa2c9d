"""The campaign's runner: cases, counts, findings and the command line, with attacks that are made up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner, Result

from benchmarks.campaign import command, running
from benchmarks.campaign.core import Attempt, BrokenPromiseError, Case
from benchmarks.campaign.running import Attack, Outcome, run_attacks
from benchmarks.campaign.world import World

Campaign = Callable[..., Result]


def attack(attempt: Attempt, *, name: str = "trial", prepare: Callable[[], None] = lambda: None) -> Attack:
    @contextmanager
    def prepared(_world: World, _folder: Path) -> Iterator[Attempt]:
        prepare()
        yield attempt

    return Attack(name=name, promise="all is well", prepare=prepared)


@pytest.fixture(autouse=True)
def _no_world(monkeypatch: pytest.MonkeyPatch) -> None:
    """Synthesize nobody: these attacks need no people."""
    monkeypatch.setattr(running, "new_world", lambda _folder: SimpleNamespace())


def run(
    *attacks: Attack, folder: Path, seconds: float = 0.0, seed: int = 1, only: int | None = None
) -> list[Outcome]:
    return run_attacks(
        attacks, seconds=seconds, seed=seed, folder=folder, progress=lambda _attack, _share: None, only=only
    )


def test_every_attack_tries_one_case_however_little_time_there_is(tmp_path: Path) -> None:
    first, second = run(attack(lambda _: "held"), attack(lambda _: "held", name="other"), folder=tmp_path)
    assert (first.endings, second.endings) == ({"held": 1}, {"held": 1})
    assert (first.n_broken, first.findings) == (0, {})
    assert not (tmp_path / "trial").exists()


def test_cases_go_on_until_the_time_is_over_and_differ(tmp_path: Path) -> None:
    drawn = []

    def attempt(case: Case) -> str:
        drawn.append(case.generator().random())
        return "held"

    (outcome,) = run(attack(attempt), folder=tmp_path, seconds=0.2)
    assert outcome.n_cases == len(drawn) == len(set(drawn)) > 1


def test_a_case_is_made_again_by_seed_attack_and_number(tmp_path: Path) -> None:
    case = Case(seed=3, attack="trial", number=5, folder=tmp_path)
    again = Case(seed=3, attack="trial", number=5, folder=tmp_path / "elsewhere")
    other = Case(seed=4, attack="trial", number=5, folder=tmp_path)
    assert case.generator().random() == again.generator().random() != other.generator().random()


def test_a_broken_promise_is_counted_kept_and_named_once_a_kind(tmp_path: Path) -> None:
    def attempt(case: Case) -> str:
        (case.folder / "evidence").write_text(str(case.number), encoding="utf-8")
        if case.number % 2:
            raise BrokenPromiseError(f"lost: number {case.number}")
        return "held"

    (outcome,) = run(attack(attempt), folder=tmp_path, seconds=0.2)
    (finding,) = outcome.findings.values()
    assert (finding.case.number, finding.what) == (1, "lost: number 1")
    assert (finding.case.folder / "evidence").read_text(encoding="utf-8") == "1"
    assert not (tmp_path / "trial" / "case-0").exists()
    assert outcome.n_broken + outcome.endings["held"] == outcome.n_cases


def test_an_error_that_nobody_expected_is_a_finding(tmp_path: Path) -> None:
    (outcome,) = run(attack(lambda _: str(1 / 0)), folder=tmp_path)
    (finding,) = outcome.findings.values()
    assert "ZeroDivisionError" in finding.what


def test_an_attack_that_cannot_be_prepared_is_a_finding_and_others_run(tmp_path: Path) -> None:
    def refuse() -> None:
        raise BrokenPromiseError("a sound document is refused")

    broken, sound = run(
        attack(lambda _: "held", prepare=refuse), attack(lambda _: "held", name="other"), folder=tmp_path
    )
    assert (broken.n_broken, sound.endings) == (1, {"held": 1})


def test_one_case_can_be_run_alone(tmp_path: Path) -> None:
    (outcome,) = run(attack(lambda case: f"number {case.number}"), folder=tmp_path, seconds=9, only=17)
    assert outcome.endings == {"number 17": 1}


# the command line


@pytest.fixture
def campaign(monkeypatch: pytest.MonkeyPatch) -> Campaign:
    """``campaign(attempt, *arguments)``: what the command says with a single attack, and its exit code."""

    def call(attempt: Attempt, *arguments: str) -> Result:
        monkeypatch.setattr(command, "ATTACKS", {"trial": attack(attempt)})
        return CliRunner().invoke(command.app(), ["--minutes", "0", *arguments])

    return call


def test_a_campaign_that_finds_nothing_ends_with_0_and_a_table(campaign: Campaign) -> None:
    done = campaign(lambda _: "held")
    assert done.exit_code == 0, done.output
    assert all(text in done.output for text in ("trial", "all is well", "held 1"))


def test_a_broken_promise_ends_with_1_and_says_how_to_see_it_again(
    campaign: Campaign, tmp_path: Path
) -> None:
    def attempt(_case: Case) -> str:
        raise BrokenPromiseError("an impostor is accepted")

    done = campaign(attempt, "--seed", "8", "--folder", str(tmp_path))
    assert done.exit_code == 1
    assert "BROKEN: an impostor is accepted" in done.output
    assert "again: scripts/campaign --seed 8 --only trial --case 0" in done.output
    assert f"kept:  {tmp_path / 'trial' / 'case-0'}" in done.output


def test_an_attack_that_is_none_is_refused_by_name(campaign: Campaign) -> None:
    done = campaign(lambda _: "held", "--only", "kils")
    assert done.exit_code == 2
    assert "'kils'" in done.output
