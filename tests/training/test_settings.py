"""Settings: one field per option, checked by name; presets give defaults; two are exclusive."""

import argparse
import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from delayprop.fast.tasks.registry import CLASSIFYING
from delayprop.fast.train import main
from delayprop.fast.training.settings import GROUPS, Settings, add_settings
from delayprop.spec import SpecError
from tests import ROOT
from tests.support.runs.reading import Capture, Patch, refusal

DEFAULT = Settings()


def parsed(arguments: list[str], preset: Settings = DEFAULT) -> Settings:
    parser = argparse.ArgumentParser()
    add_settings(parser, {"best": preset}, "best")
    return Settings.of(parser.parse_args(arguments))


@pytest.mark.parametrize("task", CLASSIFYING)
def test_every_preset_is_what_the_command_line_gives_without_a_word(task: str) -> None:
    for preset in CLASSIFYING[task].PRESETS.values():
        assert parsed([], preset) == preset


OTHER: dict[str, Any] = {
    "hidden": (7, 5), "readout": "mean_voltage", "schedule": "cosine", "choose": "last", "freeze_delays": True,
    "freeze_weights": True, "max_delay": 200.0, "epochs": 3, "batch": 3,
    "pool": 5, "recurrent": True, "learn_constants": True, "shift": 2, "patience": 4, "certify": 9, "delay": 0.25,
}


@pytest.mark.parametrize("name", [one.name for one in fields(Settings)])
def test_every_setting_is_an_option(name: str) -> None:
    value = OTHER.get(name, 0.125)
    if name == "test":
        assert parsed(["--no-test"]) == replace(DEFAULT, test=False)
        return
    words = [] if value is True else [str(entry) for entry in (value if isinstance(value, tuple) else (value,))]
    assert parsed([f"--{name.replace('_', '-')}", *words]) == replace(DEFAULT, **{name: value})


BAD: list[tuple[dict[str, Any], str]] = [
    ({"epochs": 0}, "`--epochs` must be a whole number from 1"),
    ({"hidden": [4, 0]}, "`--hidden` must be a whole number from 1"),
    ({"tau_mem": -1.0}, "`--tau-mem` must be"),
    ({"gain": 0.0}, "`--gain` must be a finite number above 0"),
    ({"lr": float("nan")}, "`--lr` must be a finite number above 0"),
    ({"lr": 1e7}, r"`--lr` must be at most 1e\+06"),
    ({"delay_lr": 0.0}, r"`--delay-lr` must be a finite number above 0 \(ms\)"),
    ({"blend": 1.5}, "`--blend` must be at least 0 and at most 1"),
    ({"ease_in": 0.0}, "`--ease-in` must be above 0"),
    ({"weight_decay": -0.1}, "`--weight-decay` must be from 0"),
    (
        {"recurrent": True, "rec_delay": 30.0, "delay": 1.0, "max_delay": 20.0},
        r"`--rec-delay` must be from 0.1 to --max-delay, 20.0 \(ms\), got 30.0",
    ),
    ({"learn_constants": True, "least_tau": 6.0}, r"`--least-tau` must be at most --tau-mem and --tau-syn, 5.0"),
    ({"max_delay": 1e39}, r"`--max-delay` must be at most 1e\+06 \(ms\), got 1e\+39"),
    ({"average": 1.0}, "`--average` must be at least 0 and below 1"),
    ({"dropout": 1.0}, "`--dropout` must be at least 0 and below 1"),
    ({"pool": 0}, "`--pool` must be a whole number from 1"),
    ({"delay": 30.0, "max_delay": 20.0}, r"`--delay` must be at most --max-delay, 20.0 \(ms\), got 30.0"),
    ({"drop": 1.0}, "`--drop` must be at least 0 and below 1"),
    ({"patience": 2, "choose": "last"}, "`--patience` must be 0 with --choose last"),
    ({"freeze_delays": True, "freeze_weights": True}, "given without --freeze-delays, got both"),
]


@pytest.mark.parametrize(("changed", "words"), BAD, ids=str)
def test_what_is_out_of_range_is_named(changed: dict[str, Any], words: str) -> None:
    values = {one.name: getattr(DEFAULT, one.name) for one in fields(Settings)}
    with pytest.raises(SpecError, match=words):
        Settings.of(argparse.Namespace(**{**values, **changed}))


def test_a_preset_is_named_on_the_command_line_and_help_is_printed_in_groups(capsys: Capture) -> None:
    main(["--task", "shd", "--help"])
    best = capsys.readouterr().out
    main(["--task", "shd", "--preset", "paper", "--help"])
    paper = capsys.readouterr().out
    assert "--batch BATCH" in best and "(default: 256)" in paper and best != paper
    titles = [line.removesuffix(":") for line in best.splitlines() if re.fullmatch(r"[a-z ]+:", line)]
    assert titles[1:] == list(GROUPS)


UNKNOWN = [["--workers", "-1"], ["--preset", "papers"], ["--readout", "sum"], ["--hidden", "x"], ["--blends", "1"]]


@pytest.mark.parametrize("arguments", UNKNOWN)
def test_a_word_that_is_not_known_is_refused(
    arguments: list[str], tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    assert arguments[0] in refusal(capsys, main, "--task", "yin-yang", *arguments) and list(tmp_path.iterdir()) == []


def test_help_and_page_show_every_setting_in_its_group() -> None:
    names = [name for group in GROUPS.values() for name in group]
    assert sorted(names) == sorted(one.name for one in fields(Settings))
    page = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| ([a-z ]+) \| (`--.*) \|$", page, re.MULTILINE))
    assert list(rows) == list(GROUPS)
    for group, names_of_group in GROUPS.items():
        options = {"--no-test" if name == "test" else f"--{name.replace('_', '-')}" for name in names_of_group}
        assert set(re.findall(r"`(--[\w-]+)`", rows[group])) == options


NEARLY = {
    "--task yinyang": "; did you mean `yin-yang`? (see --help)",
    "--task shd --hiden 3": "; did you mean `--hidden`? (see --help)",
    "--task shd --delay-rl=3": "; did you mean `--delay-lr`? (see --help)",
    "--task shd --hidden 8,8": "'8,8'; separate numbers by spaces (see --help)",
    "--task shd --seed 0,5": "'0,5'; write a decimal point (see --help)",
    "--task shd --schedule cosin": "; did you mean `cosine`? (see --help)",
    "--task xxxx": ") (see --help)",
}


@pytest.mark.parametrize("words", NEARLY)
def test_a_word_that_is_nearly_right_is_guessed(words: str, capsys: Capture) -> None:
    assert refusal(capsys, main, *words.split()).rstrip().endswith(NEARLY[words])
