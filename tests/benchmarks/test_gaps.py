"""`benchmarks.gaps`: gestures of longer and longer gaps."""

from pathlib import Path

import pytest

from benchmarks import gaps
from delayprop.fast.compare import sha256_of
from tests.support.runs.reading import Capture, Patch, refusal


def test_classes_differ_in_order_and_gap_alone() -> None:
    """Every trial has one spike per channel, and the class is what order and gap say."""
    for (times, channels), label in gaps.gestures(100.0, 200, 0):
        assert sorted(channels) == list(range(2 * gaps.CHANNELS)) and times.min() >= 0
        first, second = (times[channels // gaps.CHANNELS == burst].mean() for burst in (0, 1))
        assert (first > second) == (label >= gaps.PARTS)
        assert abs(first - second) == pytest.approx(25.0 * (label % gaps.PARTS + 1), abs=15.0)
        assert times.max() + 100.0 < gaps.duration(100.0)


@pytest.mark.full
def test_each_kind_of_network_has_a_line_once(tmp_path: Path, monkeypatch: Patch, capsys: Capture) -> None:
    """A second call trains nothing; the picture shows the lines."""
    monkeypatch.setattr(gaps, "TRIALS", {"train": 64, "valid": 20, "test": 40})
    monkeypatch.setitem(gaps.COMMON, "epochs", 1)
    words = ["--gaps", "20", "--hidden", "4", "--seeds", "0", "--out", str(tmp_path)]
    assert gaps.main(words) == 0 and gaps.main(words) == 0
    lines = gaps.lines_of(tmp_path / "gaps.jsonl")
    assert [line["arm"] for line in lines] == [*gaps.ARMS] and capsys.readouterr().out.count("\n") == len(lines)
    assert len({line["trials_sha256"] for line in lines}) == 1, "each is tested on the same trials"
    assert {line["seed"] for line in lines} == {0} and all(line["settings"]["epochs"] == 1 for line in lines)
    assert gaps.main(["--out", str(tmp_path), "--picture", str(tmp_path / "gaps.svg")]) == 0
    assert sha256_of(gaps.curves(lines)) in (tmp_path / "gaps.svg").read_text(encoding="utf-8")


def test_delays_of_a_kind_are_those_of_its_name() -> None:
    names = "freeze_delays", "delay", "recurrent"
    given = {arm: gaps.settings_of(gaps.Row(20.0, 4, arm, 0)) for arm in gaps.ARMS if arm != gaps.LSTM}
    assert {arm: tuple(one.get(name, False) for name in names) for arm, one in given.items()} == {
        "learned delays": (False, 20.0, False), "delays as drawn": (True, 20.0, False),
        "no delays": (True, 0.0, False), "no delays, loops": (True, 0.0, True),
    }


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--gaps", "0"], "`--gaps` must be a finite number above 0"), (["--hidden", "0"], "`--hidden` must be"),
        (["--seeds", "-1"], "`--seeds` must be"), (["--picture", "gaps.svg"], "`--out` must be a folder with lines"),
        (["--picture", "gaps.txt"], "`--picture` must be"),
    ],
)
def test_bad_words(words: list[str], message: str, tmp_path: Path, capsys: Capture) -> None:
    assert message in refusal(capsys, gaps.main, *words, "--out", tmp_path)


def test_a_line_that_a_killed_process_left_is_refused(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "gaps.jsonl").write_text('{"gap": 5}\n{"ga', encoding="utf-8")
    assert "gaps.jsonl line 2` must be a line of this command" in refusal(capsys, gaps.main, "--out", tmp_path)
