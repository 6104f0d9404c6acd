"""`delayprop compare --train`: kinds of delays, trained and compared."""

from pathlib import Path

import pytest

from delayprop.fast.compare import main as compare
from tests.support.runs.reading import Capture, history, printed, refusal

SHORT = ["--task", "yin-yang", "--epochs", "1", "--hidden", "4", "--certify", "0"]


def test_kinds_of_delays_are_trained_and_compared(tmp_path: Path, capsys: Capture) -> None:
    """The first kind is the one of the differences; a second call trains nothing again."""
    words = ["--train", "drawn", "none", "learned", *SHORT, "--seeds", "3", "1", "--out", str(tmp_path / "runs")]
    lines = printed(capsys, compare, *words).splitlines()
    table = next(n for n, line in enumerate(lines) if line.startswith("delay "))
    assert [line.split()[:3] for line in lines[table + 1 : table + 4]] == [
        ["10.0", "True", "2"], ["0.0", "True", "2"], ["10.0", "False", "2"],
    ]
    assert {path.name for path in (tmp_path / "runs" / "none").iterdir()} == {"seed-3", "seed-1"}
    before = history(tmp_path / "runs" / "learned" / "seed-3")
    picture = tmp_path / "kinds.svg"
    again = printed(capsys, compare, *words, "--picture", str(picture)).splitlines()
    assert [line for line in again if line.startswith("row")] == [line for line in lines if line.startswith("row")]
    assert picture.exists() and history(tmp_path / "runs" / "learned" / "seed-3") == before


@pytest.mark.parametrize(("words", "said"), [
    (["--train", "frozen", *SHORT], "invalid choice: 'frozen'"),
    (["--train", "learned"], "`--task` must be"),
    (["--train", "learned", "--task", "sequence"], "`--task` must be"),
    (["--train", "learned", *SHORT, "--freeze-delays"], "leave the delays to learned, got delays as drawn;"),
    (["--train", "drawn", *SHORT, "--delay", "0"], "leave the delays to drawn, got delays none;"),
    (["--train", "learned", *SHORT, "--no-test"], "`--no-test` must be left out with --train"),
    (["--train", "learned", *SHORT, "--seed", "4"], "`--seed` must be left out with --train"),
    (["--train", "learned", *SHORT, "--seed=0"], "`--seed` must be left out with --train, got both; give --seeds"),
    (["--train", "learned", "drawn", *SHORT, "--freeze-weights"], "`--freeze-weights` must be given without"),
    (["--train", "learned", *SHORT, "--leave-one-speaker-out"], "`--leave-one-speaker-out` must be left out"),
    (["--train=learned", *SHORT, "--picture", "x.gif"], "`--picture` must be a file that ends in .png, .svg or"),
    (["--train=learned", *SHORT, "--picture", "nowhere/x.svg"], "`--picture` must be a file in a folder that"),
    (["--train", "learned", *SHORT, "--seeds", "-1"], "`--seeds` must be"),
    (["--train", "learned", *SHORT, "--hiden", "4"], "did you mean `--hidden`"),
])
def test_what_cannot_be_compared_is_not_trained(
    words: list[str], said: str, tmp_path: Path, capsys: Capture
) -> None:
    assert said in refusal(capsys, compare, *words, "--out", str(tmp_path / "runs"))
    assert not (tmp_path / "runs").exists()
