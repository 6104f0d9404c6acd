"""The comparison of speed with another checkout: pairs, its limit, and its refusals."""

from pathlib import Path

import pytest

from benchmarks import regress
from tests import ROOT
from tests.support.runs.reading import Capture, Patch, refusal

pytestmark = pytest.mark.full


FAKE = """
import os, sys
seconds = 0.2 if os.path.basename(os.getcwd()) == "slow" else 0.1
print(1, flush=True)
for _ in sys.stdin:
    print(seconds, 2 * seconds, flush=True)
"""
"""A worker whose steps take twice as long in the folder `slow`."""


def checkout(folder: Path) -> Path:
    for name in ("fast", "benchmarks"):
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").touch()
    return folder


def test_a_step_beyond_the_limit_exits_1(tmp_path: Path, monkeypatch: Patch, capsys: Capture) -> None:
    slow, quick = checkout(tmp_path / "slow"), checkout(tmp_path / "quick")
    monkeypatch.setattr(regress, "WORKER", FAKE)
    monkeypatch.setattr(regress, "ROOT", quick)
    assert regress.main([str(slow), "--workload", "recurrent", "--pairs", "3"]) == 0
    assert "recurrent: 0.500 (forward 0.500, backward 0.500)" in capsys.readouterr().out
    monkeypatch.setattr(regress, "ROOT", slow)
    assert regress.main([str(quick), "--workload", "recurrent", "--pairs", "3"]) == 1
    assert "slower: a step takes more than 1.1 times that of BASE" in capsys.readouterr().out


def test_one_of_several_workloads_beyond_the_limit_exits_1(tmp_path: Path, monkeypatch: Patch) -> None:
    steps = {"shd-like": 1.11, "recurrent": 1.1, "yin-yang": 0.5}
    monkeypatch.setattr(regress, "compare", lambda _, workload, *__: regress.Ratio(steps[workload], 1, 1, 1, 1))
    base = str(checkout(tmp_path / "base"))
    assert regress.main([base]) == 1
    assert regress.main([base, "--workload", "recurrent", "--workload", "yin-yang"]) == 0


class Timed:
    """A worker with these times of its turns, in BASE and here: the third pair is disturbed."""

    TURNS = (((8.0, 24.0), (2.0, 3.0), (4.0, 8.0)), ((16.0, 32.0), (3.0, 7.5), (40.0, 80.0)))

    def __init__(self, checkout: Path, workload: str, threads: int) -> None:
        self.turns = iter(self.TURNS[checkout == regress.ROOT])

    def answer(self, question: str = "") -> tuple[float, ...]:
        return next(self.turns) if question else ()

    def close(self) -> None: ...


def test_the_median_of_the_ratios_of_pairs_counts(monkeypatch: Patch, tmp_path: Path) -> None:
    """Not their mean, nor the ratio of medians (4.0)."""
    monkeypatch.setattr(regress, "Worker", Timed)
    assert regress.compare(tmp_path, "yin-yang", 1, 3) == regress.Ratio(2.1, 2.0, 2.5, seconds=10.5, base=5.0)


def test_a_checkout_is_as_fast_as_itself() -> None:
    found = regress.compare(ROOT, "yin-yang", threads=1, pairs=3)
    assert 0.3 < found.step < 3 and 0.3 < found.forward < 3 and 0.3 < found.backward < 3
    assert 0 < found.seconds < 60 and 0 < found.base < 60


@pytest.mark.parametrize(("arguments", "message"), [
    (["nowhere"], "`BASE` must be a checkout with `fast/`, got 'nowhere'"),
    ([str(ROOT), "--workload", "mnist"], "`--workload` must be one of shd-like"),
    ([str(ROOT), "--pairs", "0"], "`--pairs` must be"),
])
def test_bad_options_are_refused_in_one_line(arguments: list[str], message: str, capsys: Capture) -> None:
    assert message in refusal(capsys, regress.main, *arguments)


@pytest.mark.parametrize("worker", ["import benchmarks.sizes", "print(1, flush=True)"], ids=["at once", "later"])
def test_a_base_whose_benchmarks_end_is_named(worker: str, tmp_path: Path, monkeypatch: Patch, capsys: Capture) -> None:
    monkeypatch.setattr(regress, "WORKER", worker)
    monkeypatch.setattr(regress, "ROOT", checkout(tmp_path / "here"))
    assert regress.main([str(checkout(tmp_path / "base")), "--workload", "recurrent"]) == 2
    err = capsys.readouterr().err
    assert "`checkout` has benchmarks that do not run: their process ended" in err
    assert err.endswith(f"it ran in {tmp_path / 'base'}\n")
