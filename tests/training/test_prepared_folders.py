"""A run folder that a stranger has prepared changes no other file, and no screen."""

import os
from pathlib import Path

import pytest

from delayprop.fast.train import main
from delayprop.fast.training.checkpoints import HALF
from delayprop.fast.training.run_folder import LOG, OPTIONS
from tests.support.runs.reading import Capture, refusal, rewrite

WORDS = ["--task", "sequence", "--epochs", "2", "--out"]


@pytest.mark.pictures
def test_a_link_in_a_prepared_folder_leads_to_no_other_file(tmp_path: Path, capsys: Capture) -> None:
    """Whoever prepares a folder could otherwise have any file of the user overwritten."""
    letter, run = tmp_path / "letter", tmp_path / "run"
    letter.write_text("dear")
    run.mkdir()
    (run / f".options.json{HALF}").symlink_to(letter)
    (run / f".checkpoint-000000000.pt{HALF}").symlink_to(letter)
    assert main([*WORDS, str(run)]) in (0, 1)
    for name in ("delays.png", "learning.gif", LOG):
        (run / name).rename(run / f"own-{name}")
        (run / name).symlink_to(letter if name != LOG else run / f"own-{name}")
    assert main([*WORDS, str(run), "--resume", "--epochs", "3"]) in (0, 1)
    assert letter.read_text() == "dear" and not any(path.is_symlink() for path in run.iterdir())
    assert len((run / f"own-{LOG}").read_text().splitlines()) < len((run / LOG).read_text().splitlines())
    (run / ".lock").unlink()
    (run / ".lock").symlink_to(tmp_path / "new")
    said = refusal(capsys, main, *WORDS, run, "--resume", "--epochs", "3")
    assert "`--out` must be a folder that can be made and read, got" in said and not (tmp_path / "new").exists()


@pytest.fixture
def run(tmp_path: Path) -> Path:
    assert main([*WORDS, str(tmp_path)]) in (0, 1)
    return tmp_path


def test_options_of_a_stranger_move_no_cursor(run: Path, capsys: Capture) -> None:
    rewrite(run / OPTIONS, **{"dtype": "\x1b[2Jfloat32", "\x1b]0;": 1})
    said = refusal(capsys, main, *WORDS, run, "--resume")
    assert "\x1b" not in said and r"--\x1b]0;` must be" in said


@pytest.mark.parametrize("name", [LOG, OPTIONS, "checkpoint-000000002.pt"])
def test_a_pipe_in_the_folder_of_a_run_is_refused(name: str, run: Path, capsys: Capture) -> None:
    (run / name).unlink()
    os.mkfifo(run / name)
    capsys.readouterr()
    code, said = main([*WORDS, str(run), "--resume"]), capsys.readouterr()
    assert "it is a pipe or a device" in said.out + said.err
    assert code == (2 if name in (LOG, OPTIONS) else 1), "a checkpoint has one before it"


@pytest.mark.parametrize("name", [LOG, OPTIONS])
def test_json_without_end_in_the_folder_of_a_run_is_refused(name: str, run: Path, capsys: Capture) -> None:
    (run / name).write_text("[" * 200_000)
    assert "`--resume` must be given for a run" in refusal(capsys, main, *WORDS, run, "--resume")


def test_a_folder_in_the_way_of_a_file_is_named(run: Path, capsys: Capture) -> None:
    (run / f".result.json{HALF}").mkdir()
    assert "put it right, then go on with --resume" in refusal(capsys, main, *WORDS, run, "--resume", code=4)
    (run / f".result.json{HALF}").rmdir()
    (run / LOG).unlink()
    (run / LOG).mkdir()
    said = refusal(capsys, main, *WORDS, run, "--resume")
    assert "must be given for a run whose log can be read, got Is a directory" in said
