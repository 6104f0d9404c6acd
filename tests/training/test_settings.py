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
from tests import ROOT
from tests.support.runs.reading import Capture, Patch

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


def test_a_preset_is_named_on_the_command_line_and_help_is_printed_in_groups(capsys: Capture) -> None:
    main(["--task", "shd", "--help"])
    best = capsys.readouterr().out
    main(["--task", "shd", "--preset", "paper", "--help"])
    paper = capsys.readouterr().out
    assert "--batch BATCH" in best and "(default: 256)" in paper and best != paper
    titles = [line.removesuffix(":") for line in best.splitlines() if re.fullmatch(r"[a-z ]+:", line)]
    assert titles[1:] == list(GROUPS)


def test_help_and_page_show_every_setting_in_its_group() -> None:
    names = [name for group in GROUPS.values() for name in group]
    assert sorted(names) == sorted(one.name for one in fields(Settings))
    page = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| ([a-z ]+) \| (`--.*) \|$", page, re.MULTILINE))
    assert list(rows) == list(GROUPS)
    for group, names_of_group in GROUPS.items():
        options = {"--no-test" if name == "test" else f"--{name.replace('_', '-')}" for name in names_of_group}
        assert set(re.findall(r"`(--[\w-]+)`", rows[group])) == options


REFUSED = {
    "": "--task",
    "--task shapes": "'shapes'",
    "--task sequence --taks x": "--taks",
    "--task sequence --ep 3": "--ep",
    "--task sequence --hidden 3": "--hidden",
    "--task braille --jitter 1": "--jitter",
    "--task sequence --epochs 0": "`--epochs` must be a whole number from 1",
    "--task sequence --epochs -1": "`--epochs` must be a whole number from 1",
    "--task sequence --epochs 1.5": "--epochs",
    "--task sequence --lr 0": "`--lr` must be a finite number above 0",
    "--task sequence --lr nan": "`--lr` must be",
    "--task sequence --lr 1e7": "`--lr` must be at most 1e+06 (ms), got 10000000.0; give",
    "--task braille --delay-lr 2e6": "`--delay-lr` must be at most 1e+06 (ms), got",
    f"--task sequence --out {'a' * 300}": "`--out` must be a folder that can be made",
    "--task sequence --jitter -1": "`--jitter` must be from 0 to 10.0 (ms), got -1.0",
    "--task sequence --jitter 11": "`--jitter` must be from 0 to 10.0 (ms), got 11.0",
    "--task sequence --seed -1": "`--seed` must be a whole number from 0",
    "--task sequence --seed x": "--seed",
    "--task sequence --device cuda": "`device` cuda needs",
    "--task sequence --device tpu": "--device",
    "--task sequence --dtype float16": "--dtype",
    "--task braille --batch 0": "`--batch` must be",
    "--task sequence --save-seconds -1": "`--save-seconds` must be at least 0 (s), got",
    "--task sequence --save-seconds nan": "`--save-seconds` must be",
    "--task sequence --inputs 1": "`--inputs` must be a whole number from 2 to 16, got 1; give the number of inputs",
    "--task sequence --inputs 17": "`--inputs` must be a whole number from 2 to 16, got 17",
    "--task sequence --inputs 2.5": "--inputs",
    "--task sequence --distractors -1": "`--distractors` must be a whole number from 0 to 100, got -1; give 0",
    "--task sequence --distractors 101": "`--distractors` must be a whole number from 0 to 100, got 101",
    "--task braille": "`--data` must be the folder of braille_{train,valid,test}.h5, got nothing",
    "--task braille --data nowhere": "got no such folder as nowhere; name",
    "--task sequence --lr inf": "`--lr` must be a finite number above 0",
    "--task yin-yang --epochs 0": "`--epochs` must be a whole number from 1",
    "--task yin-yang --hidden 4 0": "`--hidden` must be a whole number from 1",
    "--task yin-yang --tau-mem -1": "`--tau-mem` must be",
    "--task yin-yang --gain 0": "`--gain` must be a finite number above 0",
    "--task yin-yang --lr nan": "`--lr` must be a finite number above 0",
    "--task yin-yang --lr 2e6": "`--lr` must be at most 1e+06, got 2000000.0; give",
    "--task yin-yang --delay-lr 0": "`--delay-lr` must be a finite number above 0 (ms)",
    "--task yin-yang --blend 1.5": "`--blend` must be at least 0 and at most 1",
    "--task yin-yang --ease-in 0": "`--ease-in` must be above 0",
    "--task yin-yang --weight-decay -0.1": "`--weight-decay` must be from 0",
    "--task yin-yang --recurrent --rec-delay 30 --delay 1 --max-delay 20":
        "`--rec-delay` must be from 0.1 to --max-delay, 20.0 (ms), got 30.0",
    "--task yin-yang --learn-constants --least-tau 6":
        "`--least-tau` must be at most --tau-mem and --tau-syn, 2.5 (ms), got 6.0",
    "--task yin-yang --max-delay 1e39": "`--max-delay` must be at most 1e+06 (ms), got 1e+39",
    "--task yin-yang --average 1": "`--average` must be at least 0 and below 1",
    "--task yin-yang --dropout 1": "`--dropout` must be at least 0 and below 1",
    "--task yin-yang --pool 0": "`--pool` must be a whole number from 1",
    "--task yin-yang --delay 30 --max-delay 20": "`--delay` must be at most --max-delay, 20.0 (ms), got 30.0",
    "--task yin-yang --drop 1": "`--drop` must be at least 0 and below 1",
    "--task yin-yang --patience 2 --choose last": "`--patience` must be 0 with --choose last",
    "--task yin-yang --freeze-delays --freeze-weights": "given without --freeze-delays, got both",
    "--task yin-yang --workers -1": "--workers",
    "--task yin-yang --preset papers": "--preset",
    "--task yin-yang --readout sum": "--readout",
    "--task yin-yang --hidden x": "--hidden",
    "--task yin-yang --blends 1": "--blends",
    "--task yinyang": "; did you mean `yin-yang`? (see --help)\n",
    "--task shd --hiden 3": "; did you mean `--hidden`? (see --help)\n",
    "--task shd --delay-rl=3": "; did you mean `--delay-lr`? (see --help)\n",
    "--task shd --hidden 8,8": "'8,8'; separate numbers by spaces (see --help)\n",
    "--task shd --seed 0,5": "'0,5'; write a decimal point (see --help)\n",
    "--task shd --schedule cosin": "; did you mean `cosine`? (see --help)\n",
    "--task xxxx": ") (see --help)\n",
}


@pytest.mark.parametrize("options", REFUSED, ids=lambda options: options[:60])
def test_bad_options_exit_2_in_one_line(options: str, tmp_path: Path, monkeypatch: Patch, capsys: Capture) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DELAYPROP_DATA", raising=False)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert main(options.split()) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and REFUSED[options] in err
    assert list(tmp_path.iterdir()) == [], "a refused run must leave nothing behind"
