"""A run folder that a stranger has prepared changes no other file, and no screen."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from delayprop.fast.train import main
from delayprop.fast.training.checkpoints import HALF
from delayprop.fast.training.run_folder import LOG, OPTIONS


@pytest.mark.pictures
def test_a_link_in_a_prepared_folder_leads_to_no_other_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever prepares a folder could otherwise have any file of the user overwritten."""
    letter, run = tmp_path / "letter", tmp_path / "run"
    letter.write_text("dear")
    run.mkdir()
    words = ["--task", "sequence", "--epochs", "2", "--out", str(run)]
    (run / f".options.json{HALF}").symlink_to(letter)
    (run / f".checkpoint-000000000.pt{HALF}").symlink_to(letter)
    assert main(words) in (0, 1)
    for name in ("delays.png", "learning.gif", LOG):
        (run / name).rename(run / f"own-{name}")
        (run / name).symlink_to(letter if name != LOG else run / f"own-{name}")
    assert main([*words, "--resume", "--epochs", "3"]) in (0, 1)
    assert letter.read_text() == "dear" and not any(path.is_symlink() for path in run.iterdir())
    assert len((run / f"own-{LOG}").read_text().splitlines()) < len((run / LOG).read_text().splitlines())
    (run / ".lock").unlink()
    (run / ".lock").symlink_to(tmp_path / "new")
    capsys.readouterr()
    assert main([*words, "--resume", "--epochs", "3"]) == 2
    assert "`--out` must be a folder that can be made and read, got" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_options_of_a_stranger_move_no_cursor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--task", "sequence", "--epochs", "2", "--out", str(tmp_path / "run")]
    assert main(words) in (0, 1)
    path = tmp_path / "run" / "options.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "dtype": "\x1b[2Jfloat32", "\x1b]0;": 1}))
    capsys.readouterr()
    assert main([*words, "--resume"]) == 2
    err = capsys.readouterr().err
    assert "\x1b" not in err and r"--\x1b]0;` must be" in err and err.count("\n") == 1


@pytest.mark.parametrize("name", [LOG, OPTIONS, "checkpoint-000000002.pt"])
def test_a_pipe_in_the_folder_of_a_run_is_refused(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """To read it would wait for a writer for ever."""
    words = ["--task", "sequence", "--epochs", "2", "--out", str(tmp_path)]
    assert main(words) in (0, 1)
    (tmp_path / name).unlink()
    os.mkfifo(tmp_path / name)
    capsys.readouterr()
    code, said = main([*words, "--resume"]), capsys.readouterr()
    assert "it is a pipe or a device" in said.out + said.err
    assert code == (2 if name in (LOG, OPTIONS) else 1), "a checkpoint has one before it"


@pytest.mark.parametrize("name", [LOG, OPTIONS])
def test_json_without_end_in_the_folder_of_a_run_is_refused(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--task", "sequence", "--epochs", "2", "--out", str(tmp_path)]
    assert main(words) in (0, 1)
    (tmp_path / name).write_text("[" * 200_000)
    capsys.readouterr()
    assert main([*words, "--resume"]) == 2
    err = capsys.readouterr().err
    assert "`--resume` must be given for a run" in err and err.count("\n") == 1


def test_a_folder_in_the_way_of_a_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--task", "sequence", "--epochs", "2", "--out", str(tmp_path)]
    assert main(words) in (0, 1)
    (tmp_path / f".result.json{HALF}").mkdir()
    assert main([*words, "--resume"]) == 4
    assert "put it right, then go on with --resume" in capsys.readouterr().err
