"""`delayprop reproduce [ROW]`: the experiments of arXiv 2501.07331 as commands, and their results.

Without ROW it lists every experiment: the number of the paper, the number here, what a run costs.
With ROW it trains its runs, one after the other; a second call goes on where the first one ended.
`paper.toml` has the experiments, the settings of the paper and the reasons of every difference;
`paper/ROW.jsonl` the runs that are done, one line each, as this command writes them.
"""

import argparse
import json
import statistics
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from filelock import FileLock

from delayprop.fast.data.new_files import write_whole
from delayprop.fast.data.records import COUNT, NETWORK, RESULT, TEXT, checked
from delayprop.fast.runs.saved_runs import HOW_IT_RAN, Run
from delayprop.fast.tasks.options import job_of, parser_of, task_and_preset
from delayprop.fast.tasks.registry import CLASSIFYING
from delayprop.fast.train import ENDED
from delayprop.fast.train import main as train
from delayprop.fast.training.intervals import mean_half_width
from delayprop.fast.training.settings import Settings
from delayprop.spec.checks import one_of, whole_number
from delayprop.spec.command import OneLineParser, run_and_exit
from delayprop.spec.errors import SpecError, Verbatim
from results.__main__ import entry
from results.tables import lines as recorded

FOLDER = Path(__file__).resolve().parent
RECORDS = FOLDER / "paper"


@dataclass(frozen=True)
class Row:
    """An experiment of the paper; `paper.toml` explains the fields."""

    name: str
    about: str
    paper: str
    options: str
    scaled: str
    task: str = ""
    arms: dict[str, str] = field(default_factory=dict)
    seeds: int = 0
    epoch_seconds: float | None = None
    measured_on: str = ""

    def words(self, arm: str, scaled: bool = False) -> list[str]:
        """The command line of a run, without its seed and folder."""
        return ["--task", self.task, *f"{self.options} {self.arms[arm]} {self.scaled if scaled else ''}".split()]

    def settings(self, arm: str) -> Settings:
        """The settings of a run, as it stores them; of a task that classifies."""
        words = self.words(arm)
        parser = parser_of("", *task_and_preset(words))
        settings = job_of(vars(parser.parse_args(words)), parser).settings
        assert isinstance(settings, Settings), "of a task that classifies"
        return settings


@cache
def paper() -> dict[str, Any]:
    return tomllib.loads((FOLDER / "paper.toml").read_text(encoding="utf-8"))


def rows() -> dict[str, Row]:
    return {one["name"]: Row(**one) for one in paper()["row"]}


def done(row: Row) -> list[dict[str, Any]]:
    """The lines of finished runs of this repository."""
    return recorded(f"paper/{row.name}.jsonl") if (RECORDS / f"{row.name}.jsonl").exists() else []


def found(row: Row) -> dict[str, str]:
    """The number of each arm that has runs: mean accuracy, its 95 % interval, the runs."""
    if not row.task:
        return _against_dcls()
    numbers, lines = {}, done(row)
    for arm in row.arms:
        right = [accuracy(line) for line in lines if line["arm"] == arm]
        if right:
            half = f" ± {mean_half_width(right):.1f}" if len(right) > 2 else ""
            numbers[arm] = f"{statistics.mean(right):.1f}{half} % ({len(right)} of {row.seeds} runs)"
    return numbers


def _against_dcls() -> dict[str, str]:
    """Time and memory of DCLS to those of `fast`, by network and delay, after a warm-up."""
    of_delays = recorded("delays.jsonl")
    own = [one for one in of_delays if one.get("warm_up") and (one["dtype"], one["threads"]) == ("float32", 1)]
    place = ("layers", "hidden", "max_delay", "spikes", "batch")
    of_fast = {tuple(one[name] for name in place): one for one in own if one["system"] == "fast"}
    numbers = {}
    for one in own:
        if one["system"] == "dcls" and (beside := of_fast.get(tuple(one[name] for name in place))):
            slower, larger = (one[name] / beside[name] for name in ("seconds", "mib_above_imports"))
            network = f"{one['layers']} x {one['hidden']}, {one['max_delay']:.0f} ms"
            numbers[network] = f"{slower:.0f} times the time, {larger:.0f} times the memory above imports"
    return numbers


def accuracy(line: dict[str, Any]) -> float:
    """Of a run, in per cent; on validation where the row tests nothing."""
    return 100 * float(line["test_accuracy" if "test_accuracy" in line else "valid_accuracy"])


def cost(row: Row) -> str:
    """The time of one run on one core."""
    if took := [line["seconds"] for line in done(row) if "seconds" in line]:
        return f"{statistics.mean(took) / 60:.1f} min, measured"
    if row.epoch_seconds is not None:
        epochs, measured = row.settings(next(iter(row.arms))).epochs, f", {row.measured_on}" if row.measured_on else ""
        hours = row.epoch_seconds * epochs / 3600
        return f"{hours:.0f} h: up to {epochs} epochs of {row.epoch_seconds:.0f} s{measured}"
    return "not measured"


def differences(task: str, preset: str) -> list[tuple[str, object, object, str]]:
    """Each setting in which a preset differs from the paper: paper, preset, reason."""
    facts, own = paper()["facts"][task][preset], CLASSIFYING[task].PRESETS[preset]
    reasons = paper().get("reasons", {}).get(task, {}).get(preset, {})
    values = {name: list(value) if isinstance(value := getattr(own, name), tuple) else value for name in facts}
    return [(name, fact, values[name], reasons[name]) for name, fact in facts.items() if values[name] != fact]


def presets() -> Iterator[tuple[str, str]]:
    for task, of_task in paper()["facts"].items():
        for preset in of_task:
            yield task, preset


def main(argv: Sequence[str] | None = None, prog: str = "python -m results.reproduce") -> int:
    """The command line; the exit code: as of `train`, or of the module that the row names."""
    parser = OneLineParser(prog, "List the experiments of the paper, or run one.")
    add = parser.add_argument
    add("row", metavar="ROW", nargs="?", help="the experiment to run (default: list all)")
    add("--arm", nargs="+", metavar="ARM", help="run these arms alone")
    add("--seeds", type=int, nargs="+", metavar="N", help="run these seeds alone; one process per core may take some")
    add("--scaled", action="store_true", help="one short run per arm, to see that it runs; its number means nothing")
    add("--data", help="folder of the data, as of `train`")
    add("--out", type=Path, default=Path("runs/paper"), help="folder of the runs (default: %(default)s)")
    return parser.run(lambda options: _list() if options.row is None else _run(options), argv)


def _list() -> int:
    for row in rows().values():
        here = "; ".join(f"{arm}: {number}" for arm, number in found(row).items()) or "not done"
        print(f"{row.name}: {row.about}\n  paper  {row.paper}\n  here   {here}")
        if row.arms:
            print(f"  cost   {len(row.arms) * row.seeds} runs; one run on one core: {cost(row)}")
    print("`delayprop reproduce ROW` runs one; docs/paper.md lists the differences")
    return 0


def _run(options: argparse.Namespace) -> int:
    row = rows()[one_of(options.row, "ROW", tuple(rows()))]
    if not row.task:
        if options.arm or options.seeds or options.data:
            expected, got = "left out with a row that trains nothing", Verbatim("given")
            raise SpecError("--arm, --seeds, --data", expected, got, "`python -m benchmarks.delays` has its own")
        from benchmarks.delays import main as delays  # which no other row needs

        return delays(row.scaled.split() if options.scaled else row.options.split())
    arms = [one_of(arm, "--arm", tuple(row.arms)) for arm in dict.fromkeys(options.arm or row.arms)]
    given = dict.fromkeys(options.seeds or range(row.seeds))
    seeds = [whole_number(seed, "--seeds", 0, row.seeds - 1, "the row has these") for seed in given]
    kind, lines = "scaled-" * options.scaled, []
    for seed in seeds[:1] if options.scaled else seeds:
        for arm in arms:
            folder = options.out / f"{kind}{row.name}" / "-".join(arm.replace(",", "").split()) / f"seed-{seed}"
            print(f"{row.name}, {arm}, seed {seed}: {folder}", flush=True)
            data = [] if options.data is None else ["--data", options.data]
            words = [*row.words(arm, options.scaled), *data, "--seed", str(seed), "--out", str(folder), "--resume"]
            ended = (folder / (NETWORK if "--no-test" in words else RESULT)).exists()
            if not ended and (code := train(words)) not in ENDED:
                return code
            lines.append({"arm": arm, **_line(folder)})
            _write(options.out / f"{kind}{row.name}.jsonl", lines[-1])
    for arm in arms:
        print(f"{arm}: {' '.join(f'{accuracy(line):.1f}' for line in lines if line['arm'] == arm)} %")
    print(f"paper: {row.paper}")
    return 0


def _line(folder: Path) -> dict[str, Any]:
    run = Run(folder)
    if run.options["task"] in CLASSIFYING:
        return entry(folder)
    settings = {name: value for name, value in run.options.items() if name not in HOW_IT_RAN}
    return {**settings, "test_accuracy": run.accuracies["test"]}  # its log has no seconds


def _write(path: Path, line: dict[str, Any]) -> None:
    """Writes a line in place of an earlier one of the same run, and keeps all others. Another
    process may write the file too."""
    own = {name: line[name] for name in ("arm", "seed")}
    with FileLock(path.with_suffix(".lock")):
        before = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        kept = [one for n, one in enumerate(before, start=1) if _place(one, f"{path} line {n}") != own]
        write_whole(path, "".join(f"{one}\n" for one in [*kept, json.dumps(line)]).encode())


def _place(text: str, where: str) -> dict[str, Any]:
    """The arm and the seed of a line."""
    line = checked(text, {"arm": TEXT, "seed": COUNT}, where, "delete the line: its run is kept")
    return {name: line[name] for name in ("arm", "seed")}


def page() -> str:
    """The tables of `docs/paper.md`, in Markdown."""
    text = ["| experiment | paper | here | one run, one core |", "|---|---|---|---|"]
    for row in rows().values():
        here = "<br>".join(f"{arm}: {number}" for arm, number in found(row).items()) or "not done"
        text.append(f"| `{row.name}`<br>{row.about} | {row.paper} | {here} | {cost(row) if row.arms else ''} |")
    text += ["", "## Differences", "", "Settings:", "", "| task | preset | setting | paper | here | why |"]
    text.append("|---|---|---|--:|--:|---|")
    for task, preset in presets():
        for name, fact, value, why in differences(task, preset) or [("none", "", "", "")]:
            text.append(f"| {task} | `{preset}` | `{name}` | {fact} | {value} | {why} |")
    text += ["", "Others:", ""]
    for task, others in paper()["others"].items():
        text += [f"- {f'`{task}`: ' if task != 'all' else ''}{other}" for other in others]
    return "\n".join(text)


if __name__ == "__main__":
    run_and_exit(main)
