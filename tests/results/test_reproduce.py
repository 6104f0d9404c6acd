"""`delayprop reproduce`: a preset differs where its table says; rows run, resume and refuse."""

import json
import re
from pathlib import Path

import pytest

from delayprop.__main__ import main as delayprop
from delayprop.fast.runs.saved_runs import HOW_IT_RAN
from delayprop.fast.tasks import yin_yang
from delayprop.fast.tasks.registry import CLASSIFYING
from delayprop.fast.training.settings import Settings, with_defaults
from results import reproduce
from tests.support.runs.reading import Capture, Patch, printed, refusal

ROWS = reproduce.rows()


def test_every_paper_preset_differs_where_the_table_says_and_nowhere_else() -> None:
    listed = {*reproduce.presets()}
    assert listed == {(t, p) for t, module in CLASSIFYING.items() for p in module.PRESETS if p.startswith("paper")}
    for task, preset in listed:
        reasons = reproduce.paper().get("reasons", {}).get(task, {}).get(preset, {})
        assert {name for name, *_ in reproduce.differences(task, preset)} == {*reasons}, (task, preset)
        own, usual = vars(CLASSIFYING[task].PRESETS[preset]), vars(Settings())
        changed = {name for name, value in own.items() if value != usual[name]}
        assert changed <= {*reproduce.paper()["facts"][task][preset]}, "a setting of ours with no word on the paper's"
    assert {name for name, *_ in reproduce.differences("shd", "paper-rec")} == {"rec_delay"}


def test_every_row_is_a_command_with_legal_settings() -> None:
    assert {*ROWS} >= {"sequence", "yin-yang", "shd-rec", "ssc-ff", "braille", "cost"}
    for row in ROWS.values():
        assert bool(row.arms) == bool(row.task) != (row.name == "cost")
        for arm in row.arms if row.task in CLASSIFYING else ():
            assert isinstance(row.settings(arm), Settings)
    equal, sizes = ROWS["yin-yang-parameters"], [5, 10, 15, 20, 25, 30]
    for arm, hidden in zip(equal.arms, sizes, strict=True):
        (without,) = equal.settings(arm).hidden
        assert equal.settings(arm).bias and abs(8 * without - 11 * hidden) <= 4, "8 or 11 numbers per neuron"


def test_recorded_lines_are_runs_of_the_rows() -> None:
    """Settings of each line are those of its arm; each arm has a seed at most once."""
    assert {path.stem for path in reproduce.RECORDS.iterdir()} <= {*ROWS}
    seen = set()
    for row, line in [(one, line) for one in ROWS.values() for line in reproduce.done(one)]:
        place = row.name, line["arm"], line["seed"]
        assert place not in seen and line["seed"] < row.seeds
        seen.add(place)
        if row.task in CLASSIFYING:
            wanted = {name: value for name, value in vars(row.settings(line["arm"])).items() if name not in HOW_IT_RAN}
            given = with_defaults(line)  # a line of before has no later settings
            own = {name: tuple(given[name]) if isinstance(given[name], list) else given[name] for name in wanted}
            assert own == wanted, place


def test_the_list_and_the_page_have_every_row(capsys: Capture) -> None:
    listed, page = printed(capsys, delayprop, "reproduce"), reproduce.page()
    for name, row in ROWS.items():
        assert f"{name}: {row.about}\n  paper  {row.paper}\n" in listed and f"| `{name}`<br>" in page
    against = r"1 x 256, 128 ms: \d+ times the time, \d+ times the memory above imports"
    assert re.search(against, listed) and re.search(against, page)
    assert "| shd | `paper-rec` | `rec_delay` | 0.0 | 0.1 | a loop without a delay" in page


@pytest.mark.full
def test_a_scaled_row_runs_once_and_then_only_reads(tmp_path: Path, monkeypatch: Patch, capsys: Capture) -> None:
    monkeypatch.setattr(yin_yang, "POINTS", {"train": 60, "valid": 30, "test": 30})
    words = ["yin-yang", "--scaled", "--arm", "5, delays", "5, none", "--out", str(tmp_path)]
    first = printed(capsys, reproduce.main, *words)
    assert first.count("state sha256") == 2 and first.endswith(f"paper: {ROWS['yin-yang'].paper}\n")
    lines = [json.loads(line) for line in (tmp_path / "scaled-yin-yang.jsonl").read_text().splitlines()]
    assert [(line["arm"], line["seed"]) for line in lines] == [("5, delays", 0), ("5, none", 0)]
    (tmp_path / "scaled-yin-yang.jsonl").write_text(f"{json.dumps(lines[0])}\n{{}}\n{json.dumps(lines[1])}\n")
    said = f"`{tmp_path}/scaled-yin-yang.jsonl line 2` must be an object with arm, got one without; delete the line"
    assert said in refusal(capsys, reproduce.main, *words, late=True)
    (tmp_path / "scaled-yin-yang.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    again = printed(capsys, reproduce.main, *words)
    assert "state sha256" not in again and len((tmp_path / "scaled-yin-yang.jsonl").read_text().splitlines()) == 2


@pytest.mark.parametrize(("words", "said"), [
    (["yinyang"], "`ROW` must be one of sequence, yin-yang, "),
    (["yin-yang", "--arm", "6"], "`--arm` must be one of 5, delays, "),
    (["yin-yang", "--seeds", "10"], "`--seeds` must be a whole number from 0 to 9, got 10"),
    (["cost", "--arm", "fast"], "`--arm, --seeds, --data` must be left out with a row that trains nothing"),
    (["shd-rec", "--seeds", "0", "--data", "nowhere"], "shd_train.h5"),
])
def test_bad_words(words: list[str], said: str, tmp_path: Path, capsys: Capture) -> None:
    assert said in refusal(capsys, reproduce.main, *words, "--out", tmp_path / "runs", late=True)
    assert not (tmp_path / "runs").exists()
