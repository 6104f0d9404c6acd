"""Every figure in the tables of `results/README.md` is of a file there, made with the presets."""

import json
import re
import statistics
from dataclasses import asdict
from typing import Any

import pytest

from delayprop.fast.tasks import braille, shd, ssc, yin_yang
from delayprop.fast.tasks.options import parser_of
from delayprop.fast.training.hidden_neurons import option_of
from delayprop.fast.training.intervals import mean_half_width
from delayprop.fast.training.settings import Settings, with_defaults
from tests import ROOT
from tests.results.records import PROSE, README, RECORDS, SHD, entries, has_row, of_kind, percents, rounded, spread
from tests.support.house.sources import FILES, read

SAID = {
    "yin-yang": (
        "yin-yang.jsonl", 10,
        {
            "no delays": "none", "weights as drawn": "learned, weights as drawn",
            "time constants learned too": "learned, with time constants",
        },
    ),
    "braille": ("braille-recurrent.jsonl", 3, {"delays as drawn": "as drawn"}),
}
"""Task, and file, number of seeds, and the controls: their words in the table, kind of delays."""
FIRST = "b955ca95"
"""The SHA-256 of the first training file of SHD, which was wrong."""


@pytest.mark.parametrize("task", SAID)
def test_the_first_table_says_what_the_runs_reached(task: str) -> None:
    name, seeds, controls = SAID[task]
    found = {kind: percents(of_kind(name, kind)) for kind in ("learned", *controls.values())}
    assert {len(values) for values in found.values()} == {seeds}
    said = "; ".join(f"{words}: {spread(found[kind])}" for words, kind in controls.items())
    if task == "braille":
        said += f"; not recurrent, 5 seeds: {spread(percents(of_kind('braille.jsonl', 'learned')))}"
    row = rf"^\| `{task}`, .*{seeds} seeds \| {spread(found['learned'])} \| {said} \|$"
    assert re.search(row, RECORDS, re.MULTILINE)


def test_no_figure_of_the_first_shd_files_is_left() -> None:
    found = [str(path) for path in FILES if FIRST in read(path)]
    assert found == ["results/README.md", "tests/results/test_recorded_runs.py"]
    texts = [read(path) for path in FILES if re.fullmatch(r"results/.*\.jsonl?", str(path))]
    runs = [line for text in texts for line in text.splitlines() if '"task": "shd"' in line]
    tested = {json.loads(line)["trials_sha256"] for line in runs if SHD in line and "test_accuracy" in line}
    evaluated = [json.loads(line)["test"]["trials_sha256"] for line in runs if SHD not in line]
    assert len(tested) == 1 and {*evaluated} <= tested, "an evaluation is of the same test trials"


def test_what_learning_the_delays_adds_is_the_difference_of_the_runs() -> None:
    learned, drawn = (percents(of_kind("braille-recurrent.jsonl", kind)) for kind in ("learned", "as drawn"))
    added = [one - other for one, other in zip(learned, drawn, strict=True)]
    said = "so learning the delays adds {:.1f}, {:.1f} and {:.1f} points".format(*added)
    assert said in PROSE and len(added) == 3 and min(added) > 0


def test_what_learning_the_time_constants_adds_on_yin_yang() -> None:
    runs = [percents(of_kind("yin-yang.jsonl", kind)) for kind in ("learned, with time constants", "learned")]
    added = [one - other for one, other in zip(*runs, strict=True)]
    half, mean, better = mean_half_width(added), statistics.mean(added), sum(value > 0 for value in added)
    assert half is not None and len(added) == 10
    said = f"{mean:.1f} points in the mean of {len(added)} pairs of a seed"
    assert f"{said} (95 %: {mean - half:.1f} to {mean + half:.1f})" in PROSE
    assert f"it is better with {better} of the 10 seeds" in PROSE


def settings_of(preset: Settings) -> dict[str, Any]:
    """The settings of a preset that change results, as a line has them."""
    kept = {name: value for name, value in vars(preset).items() if name not in ("test", "certify")}
    return kept | {"hidden": list(preset.hidden), "constants": list(preset.constants)}


@pytest.mark.parametrize(("name", "preset"), [("braille", "feed-forward"), ("braille-recurrent", "best")])
def test_the_preset_is_that_of_the_recorded_runs(name: str, preset: str) -> None:
    said = settings_of(braille.PRESETS[preset])
    allowed = [said, said | {"freeze_delays": True}, said | {"freeze_delays": True, "delay": 0.0}]
    for entry in map(with_defaults, entries(f"{name}.jsonl")):
        assert {setting: entry[setting] for setting in said} in allowed


def test_the_settings_in_the_lines_of_yin_yang_are_those_of_the_preset() -> None:
    """Old lines have few settings, and the size of the one hidden layer as a number."""
    preset = asdict(yin_yang.PRESETS["best"]) | {"hidden": 30}
    controls = {"freeze_delays", "freeze_weights", "delay", "learn_constants", "test", "certify"}
    for entry in entries("yin-yang.jsonl"):
        common = entry.keys() & preset.keys() - controls
        assert {"lr", "delay_lr", "schedule", "epochs"} <= common
        assert all(entry[name] in (preset[name], [preset[name]]) for name in common)


SPLITS = ("train", "valid")
RECORDED = {
    "`yin-yang`, seed 0": of_kind("yin-yang.jsonl", "learned")[0],
    "`shd`, 32 neurons, seed 0": next(
        run for run in entries("sizes.jsonl")
        if (run["network"], run["seed"], run["freeze_delays"]) == ("140-32-20", 0, False)
    ),
    **{
        f"`shd`, {run['hidden'][0]} neurons, {run['epochs']} epochs, seed {run['seed']}": run
        for run in entries("shd.jsonl")
    },
}
"""Runs by their words in the tables."""


def name_of(evaluation: dict[str, Any]) -> str:
    """The words for the recorded run that was evaluated: of this network and seed, and as right."""
    (name,) = (
        name for name, run in RECORDED.items()
        if {key: run[key] for key in ("task", "network", "seed")} == evaluation["run"]
        and run["test_accuracy"] == evaluation["test"]["accuracy"]
    )
    return name


EVALUATED = {name_of(evaluation): evaluation["test"] for evaluation in entries("evaluations.jsonl")}


def test_the_table_of_clocks_has_every_evaluation_and_the_text_the_share_of_cut_delays() -> None:
    for name, test in EVALUATED.items():
        for grid in test.get("grid", []):
            cells = [rounded(one["accuracy"]) for one in (test, grid["delays"], grid["delays_and_times"])]
            cells.append(rounded(grid["cut_delays"]["accuracy"]) if "cut_delays" in grid else "")
            assert has_row(name, f"{grid['step']:g} ms", *cells)
    for grid in EVALUATED["`shd`, 32 neurons, seed 0"]["grid"]:
        assert f"{100 * grid['share_cut']:.0f} % of the delays at {grid['step']:g} ms" in PROSE


def test_the_table_and_text_of_the_long_runs_on_shd() -> None:
    found = {}
    for name in (name for name in RECORDED if "epochs" in name):
        run, test = RECORDED[name], EVALUATED[name]
        known, new = (right / trials for right, trials in (test["known_speakers"], test["new_speakers"]))
        found[name] = [run["train_accuracy"], known, new, run["test_accuracy"]]
        interval = "{:.1f} to {:.1f} %".format(*(100 * end for end in test["interval"]))
        assert has_row(name, *map(rounded, found[name]), interval)
    for one in entries("baselines.jsonl"):
        name = f"`{one['network']}` of torch, {one['epochs']} epochs, seed {one['seed']}"
        cells = [one["train_accuracy"], one["known_speakers"], one["new_speakers"], one["test_accuracy"]]
        assert has_row(name, *map(rounded, cells), "{:.1f} to {:.1f} %".format(*(100 * end for end in one["interval"])))
        assert one["data_sha256"]["train"] == SHD
        assert cells[0] > max(run[0] for run in found.values())
        assert one["network"] != "lstm" or cells[2] < min(run[2] for run in found.values())
    of_torch = {name: percents([one for one in entries("baselines.jsonl") if one["network"] == name]) for name in (
        "lstm", "cnn")}
    said = f"of the LSTM {spread(of_torch['lstm'])}, of the convolutional network {spread(of_torch['cnn'])}: the latter"
    known = [[run[1] for name, run in found.items() if "128" in name], [
        one["known_speakers"] for one in entries("baselines.jsonl") if one["network"] == "cnn"]]
    ours, theirs = (f"{100 * min(own):.1f} to {100 * max(own):.1f} %" for own in known)
    assert f"with each seed ({theirs}, {ours})" in PROSE and max(known[0]) < min(known[1])
    assert said in PROSE and [len(own) for own in of_torch.values()] == [3, 3]
    first, *_, wide = found.values()
    seeds = percents([run for run in entries("shd.jsonl") if run["hidden"] == [128]])
    assert len(seeds) == 3 and f"Three seeds of 128 neurons reach {spread(seeds)}" in PROSE
    limits = " ".join((ROOT / "docs" / "limits.md").read_text(encoding="utf-8").split())
    assert f"is as good: {spread(of_torch['cnn'])} against {spread(seeds)} for 128 neurons, three seeds each." in limits
    more = [f"{100 * (b - a):.1f}" for a, b in zip(first[:3], wide[:3], strict=True)]
    assert "by {} points, and known speakers by {}, but new ones by {} only".format(*more) in PROSE
    answers, (right, trials) = test["answers"], test["new_speakers"]
    wrong = sum(map(sum, answers)) - sum(row[k] for k, row in enumerate(answers))
    assert f"Of the {wrong} errors of the wider network {trials - right} are on the two new speakers" in PROSE
    assert f'{answers[19][9]} are "neun" heard as "nine", in {sum(answers[19])} trials' in PROSE
    assert f"{run['hidden'][0]} neurons reach {rounded(max(wide[3], first[3]))} on SHD" in " ".join(README.split())


def test_the_table_of_adaptive_neurons() -> None:
    held_out = {}
    for neuron in ("lif", "alif", "adlif"):
        speech, *runs = [run for run in entries("tried/neurons.jsonl") if run["neuron"] == neuron]
        assert speech["task"] == "shd" and "test_accuracy" not in speech and speech["valid_speakers"] == [3, 6]
        assert [run["seed"] for run in runs] == [0, 1, 2] and {run["task"] for run in runs} == {"yin-yang"}
        held_out[neuron] = speech["valid_accuracy"]
        cells = rounded(speech["train_accuracy"]), rounded(held_out[neuron])
        assert has_row(f"`{neuron}`", spread(percents(runs)), *cells)
    worst = held_out["lif"] - min(held_out.values())
    assert f"as good as LIF to {100 * worst:.1f} points" in PROSE


def test_the_table_of_what_was_tried_on_shd() -> None:
    first = next(run for run in entries("tried/neurons.jsonl") if (run["task"], run["neuron"]) == ("shd", "lif"))
    runs = {"none": first}
    for run in entries("tried/shd.jsonl"):
        words = [f"--{name} {run[name]:g}" for name in ("spread", "stretch") if run[name]]
        words += ["--recurrent"] if run["recurrent"] else []
        words += ["--hidden 128 128"] if len(run["hidden"]) == 2 else []
        runs[f"`{' '.join(words)}`"] = run
    assert len(runs) == 5 and len({(run["epochs"], run["seed"], run["dropout"]) for run in runs.values()}) == 1
    for name, run in runs.items():
        assert has_row(name, rounded(run["train_accuracy"]), rounded(run["valid_accuracy"])), name
        assert "test_accuracy" not in run and run["valid_speakers"] == [3, 6] and run["hidden"][0] == 128
    held_out = {name: 100 * run["valid_accuracy"] for name, run in runs.items() if "128 128" not in name}
    moved = max(abs(value - held_out["none"]) for value in held_out.values())
    assert f"held out by more than {moved:.1f} points, but a second layer" in PROSE
    more = 100 * (runs["`--spread 0.1 --recurrent`"]["train_accuracy"] - runs["`--spread 0.1`"]["train_accuracy"])
    assert f"better, by {more:.1f} points" in PROSE


def test_the_table_of_what_was_tried_on_spoken_words() -> None:
    """A row has the options that the first run of its task lacks; the page has the command of this
    run. No run read the test split."""
    first: dict[str, dict[str, Any]] = {}
    for line in entries("tried/words.jsonl"):
        run = with_defaults(line)
        base = first.setdefault(run["task"], run)
        options = [_option(name, run[name]) for name in Settings.__dataclass_fields__ if run[name] != base[name]]
        epoch = f"{run['seconds'] / run['epochs']:.0f} s"
        cells = rounded(run["train_accuracy"]), rounded(run["valid_accuracy"]), epoch
        assert has_row(f"`{run['task']}`", f"`{' '.join(options)}`" if options else "none", *cells), (options, cells)
        assert "test_accuracy" not in run and run["seed"] == 0
        assert (run["rounding"] is None) == (run["neuron"] != "lif") and (run["rounding"] or 0.0) < 1e-3
    words = [with_defaults(run) for run in entries("tried/words.jsonl") if run["task"] == "ssc"]
    counted = [run["train_accuracy"] for run in words if run["readout"] == "mean_voltage"]
    assert f"no network reaches more than {rounded(max(counted))} in training" in PROSE
    valid = max(run["valid_accuracy"] for run in words)
    apart = 1.96 * (2 * valid * (1 - valid) / 526) ** 0.5
    assert f"a difference of less than about {100 * apart:.0f} points" in PROSE
    assert RECORDS.count("\n| `ssc` | ") == len(words) and RECORDS.count("\n| `shd` | none | ") == 1
    (same,) = (run for run in words if run == {**run, **_settings(first["ssc"]), "readout": "mean_voltage"})
    for split, name in (("train", "training"), ("valid", "validation")):
        after, before = (rounded(run[f"{split}_accuracy"]) for run in (first["ssc"], same))
        assert f"{after} instead of {before.removesuffix(' %')} in {name}" in PROSE
    (shorter,) = (run for run in entries("tried/shd.jsonl") if run["recurrent"])
    assert f"With 10 epochs this network reaches {rounded(shorter['valid_accuracy'])} on them" in PROSE
    (more,) = (run for run in entries("tried/words.jsonl") if run["task"] == "shd" and run["blend_more"])
    reached, before = (rounded(run["valid_accuracy"]) for run in (more, shorter))
    assert f"give {reached} after 10 epochs, instead of {before}" in PROSE
    hours = sum(run["seconds"] for run in entries("tried/words.jsonl")) / 3600
    assert f"These runs took {hours:.0f} hours of one core" in PROSE
    for task, run in first.items():
        preset = settings_of({"shd": shd, "ssc": ssc}[task].PRESETS["best"])
        (command,) = re.findall(rf"fast.train --task {task} --data FOLDER (--hidden[^`]*) --no-test`", PROSE)
        given = parser_of("", task).parse_args(["--task", task, *command.split(), "--no-test"])
        assert {name: run[name] for name in preset} == settings_of(Settings.of(given))
    preset = settings_of(ssc.PRESETS["best"])
    assert {name: words[1][name] for name in preset} == preset, "the second row of `ssc` is the preset"


def _settings(run: dict[str, Any]) -> dict[str, Any]:
    return {name: run[name] for name in Settings.__dataclass_fields__}


def _option(name: str, value: Any) -> str:
    """An option of a command line that gives a setting."""
    option = option_of(name)
    if isinstance(value, bool):
        return option if value else f"--no-{option[2:]}"
    values = value if isinstance(value, list) else [value]
    return " ".join([option, *(f"{one:g}" if isinstance(one, float) else str(one) for one in values)])


def test_the_table_of_two_hidden_layers() -> None:
    """A row per network; runs of a task differ in hidden layers, the seed and the rate alone."""
    runs: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for run in entries("tried/layers.jsonl"):
        assert "test_accuracy" not in run and run.get("valid_speakers") == ([3, 6] if run["task"] == "shd" else None)
        name = "-".join(map(str, run["hidden"])) + (f", {run['arm']}" if "arm" in run else "")
        runs.setdefault((run["task"], name), []).append(run)
    of_shd = "128", "128-128", "128-128, dropout in both layers"
    assert [*runs] == [*(("shd", name) for name in of_shd), ("braille", "128"), ("braille", "128-128")]
    for (task, hidden), own in runs.items():
        like = [run for other in runs.values() for run in other if run["task"] == task]
        settings = {*Settings.__dataclass_fields__} - {"hidden", "rate", "certify"}
        assert len({tuple(str(run.get(name)) for name in sorted(settings)) for run in like}) == 1
        assert [run["seed"] for run in own] == list(range(len(own)))
        found = [percents(own, split) for split in SPLITS]
        cells = [spread(one) if len(one) > 1 else f"{one[0]:.1f} %" for one in found]
        assert has_row(f"`{task}`", hidden, *cells)


def changed(entry: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    entry = with_defaults(entry)  # a line of before has no later settings
    return {name: entry[name] for name, value in settings.items() if entry[name] != value}


TRIED: dict[str, dict[str, Any]] = {
    "`--average 0.998`": {},
    "the same, `--w-sd 2 --w-mean 0.6`: twice the spikes": {"average": 0.998},
    "`--average 0.998 --dropout 0.3 --label-smoothing 0.1`": {"epochs": 40},
    "`--average 0.998 --w-sd 2 --w-mean 0.6 --dropout 0.15 --stretch 0.1 --drop 0.1`": {"epochs": 40},
}
"""Words of the table, and settings that they leave out."""


@pytest.mark.parametrize("name", TRIED)
def test_the_table_of_what_was_tried_on_braille_has_the_recorded_runs(name: str) -> None:
    preset = settings_of(braille.PRESETS["feed-forward"])
    said = {word.replace("-", "_"): float(value) for word, value in re.findall(r"--([a-z-]+) ([\d.]+)", name)}
    (run,) = (entry for entry in entries("tried/braille.jsonl") if changed(entry, preset) == TRIED[name] | said)
    cells = [name, str(run["epochs"]), *(rounded(run[f"{split}_accuracy"]) for split in SPLITS)]
    tested = f" {rounded(run['test_accuracy'])} |" if "test_accuracy" in run else " |"
    assert f"| {' | '.join(cells)} |{tested}\n" in RECORDS and run["seed"] == 0


def test_the_tables_of_braille_have_the_recurrent_runs_and_ours_beside_others() -> None:
    runs = of_kind("braille-recurrent.jsonl", "learned")
    train, valid = (f"{statistics.mean(percents(runs, split)):.1f} %" for split in SPLITS)
    cells = (str(runs[0]["epochs"]), train, valid, spread(percents(runs)))
    assert has_row("the same, `--recurrent --dropout 0.1`, 3 seeds", *cells)
    ours = [spread(percents(of_kind(f"{name}.jsonl", "learned"))) for name in ("braille-recurrent", "braille")]
    assert has_row("here, the epoch chosen on validation", "256 neurons", "10", *ours)
