"""`python -m results.tables`: write the tables of `results/README.md`, and that of
`benchmarks/README.md`, anew from the recorded runs.

A table stands between `<!-- table NAME -->` and `<!-- end -->`; `TABLES` has the function of each.
Accuracies are per cent: of one run, or the mean ± standard deviation over seeds.
"""

import argparse
import json
import re
import statistics
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from delayprop.fast.data.new_files import write_whole
from delayprop.fast.training.hidden_neurons import option_of
from delayprop.fast.training.settings import Settings, kind_of_delays, with_defaults
from delayprop.spec.checks import one_of
from delayprop.spec.command import OneLineParser, run_and_exit

FOLDER = Path(__file__).resolve().parent
PAGES = FOLDER / "README.md", FOLDER.parent / "benchmarks" / "README.md"
SLOWER = {"shd-like": 1.21, "recurrent": 1.49, "yin-yang": 1.12}
"""Times of a step of `fast` since mlGeNN was measured beside it (`benchmarks.regress`)."""
KINDS = "learned", "as drawn", "none"  # the first columns, in this order
SETTINGS = [name for name in Settings.__dataclass_fields__ if name not in ("test", "certify")]
PLACE = re.compile(r"^(<!-- table ([\w-]+) -->\n)(.*?)(?=^<!-- end -->$)", re.MULTILINE | re.DOTALL)
Line = dict[str, Any]


def lines(*files: str) -> list[Line]:
    """The recorded lines of some files, in order."""
    texts = [(FOLDER / file).read_text(encoding="utf-8") for file in files]
    return [json.loads(line) for text in texts for line in text.splitlines()]


def percent(values: Iterable[float]) -> str:
    """Of shares: the one, or the mean ± standard deviation; empty: of none."""
    found = [100 * value for value in values]
    if not found:
        return ""
    return f"{statistics.mean(found):.1f}" + (f" ± {statistics.stdev(found):.1f}" if len(found) > 1 else "") + " %"


def interval(ends: Sequence[float]) -> str:
    return "{:.1f} to {:.1f} %".format(*(100 * end for end in ends))


def table(head: Sequence[str], rows: Iterable[Sequence[str]], texts: int = 1) -> str:
    """A table in Markdown, whose first `texts` columns are text and the others numbers."""
    rule = ["---" if n < texts else "--:" for n in range(len(head))]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *rows))


def by_kind(*files: str) -> str:
    """Test accuracy by task and hidden neurons, a column per kind of delays."""
    found: dict[tuple[str, str], dict[str, list[float]]] = {}
    for line in lines(*files):
        hidden = "-".join(line["network"].split("-")[1:-1])
        row = f"`{line['task']}`" + ", recurrent" * bool(line.get("recurrent")), hidden
        found.setdefault(row, {}).setdefault(kind_of_delays(line), []).append(line["test_accuracy"])
    used = {kind: None for cells in found.values() for kind in cells}
    kinds = sorted(used, key=lambda kind: KINDS.index(kind) if kind in KINDS else len(KINDS))
    order = sorted(found, key=lambda row: (row[0], [*map(int, row[1].split("-"))]))
    rows = ([*row, *(percent(found[row].get(kind, [])) for kind in kinds)] for row in order)
    return table(["task", "hidden neurons", *kinds], rows)


def tried(task: str, *files: str) -> str:
    """A row per setting: its options that differ from the first row's, and its accuracies."""
    groups: dict[str, list[Line]] = {}
    for line in map(with_defaults, lines(*files)):
        if line["task"] == task:
            setting = json.dumps([*(line[name] for name in SETTINGS), line.get("arm")])
            groups.setdefault(setting, []).append(line)
    base = next(iter(groups.values()))[0]
    tested = any("test_accuracy" in line for own in groups.values() for line in own)
    splits = ("train", "valid", "test") if tested else ("train", "valid")
    rows = []
    for own in groups.values():
        first = own[0]
        options = [option(name, first[name]) for name in SETTINGS if first[name] != base[name]]
        change = ", ".join(filter(None, [f"`{' '.join(options)}`" * bool(options), first.get("arm")])) or "none"
        cells = [percent(line[f"{split}_accuracy"] for line in own if f"{split}_accuracy" in line) for split in splits]
        seconds = statistics.mean(line["seconds"] / line["epochs"] for line in own)
        rows.append([change, *cells, str(len(own)), f"{seconds:.{int(seconds < 10)}f} s"])
    return table(["change", "training", "validation", *["test"] * tested, "seeds", "an epoch"], rows)


def option(name: str, value: Any) -> str:
    """An option of a command line that gives a setting."""
    word = option_of(name)
    if isinstance(value, bool):
        return word if value else f"--no-{word[2:]}"
    values = value if isinstance(value, list) else [value]
    return " ".join([word, *(f"{one:g}" if isinstance(one, float) else str(one) for one in values)])


def evaluation(run: Line) -> Line:
    """Of a recorded run: the one of its task, network, seed and accuracy."""
    own = {name: run[name] for name in ("task", "network", "seed")}
    (test,) = (
        one["test"] for one in lines("evaluations.jsonl")
        if one["run"] == own and one["test"]["accuracy"] == run["test_accuracy"]
    )
    return test


def speech() -> str:
    """The long runs on SHD, and the networks of torch."""
    found = []
    for run in lines("shd.jsonl"):
        test = evaluation(run)
        known, new = (right / trials for right, trials in (test["known_speakers"], test["new_speakers"]))
        name, more = f"`shd`, {run['hidden'][0]} neurons", {"known_speakers": known, "new_speakers": new}
        found.append((name, {**run, **more, "interval": test["interval"]}))
    found += [(f"`{run['network']}` of torch", run) for run in lines("baselines.jsonl")]
    shares = "train_accuracy", "known_speakers", "new_speakers", "test_accuracy"
    rows = (
        [name, str(run["epochs"]), str(run["seed"]), *(percent([run[share]]) for share in shares),
         interval(run["interval"])] for name, run in found
    )
    return table(["network", "epochs", "seed", "training", "known speakers", "new speakers", "test", "95 %"], rows)


def clocks() -> str:
    """Test accuracies with delays, and then spike times, on the grid of a clock."""
    rows = []
    for one in lines("evaluations.jsonl"):
        for grid in one["test"].get("grid", []):
            rounded = (grid[name]["accuracy"] for name in ("delays", "delays_and_times"))
            cut = [grid["cut_delays"]["accuracy"], grid["share_cut"]] if "cut_delays" in grid else []
            cells = [percent([share]) for share in (one["test"]["accuracy"], *rounded, *cut)]
            name = f"`{one['run']['task']}`, {one['run']['network']}"
            rows.append([name, f"{grid['step']:g} ms", *cells, *[""] * (5 - len(cells))])
    head = "network", "step", "exact", "delays rounded", "spike times too", "delays up to 62 steps", "share cut by this"
    return table(head, rows)


def speeds() -> str:
    """A step of the benchmarks, and steps on a time grid to it; mlGeNN's by today's step."""
    beside = {(one["workload"], one["hidden"]): one for one in lines("delays.jsonl") if one.get("date") == "2026-11-28"}
    rows = []
    for one in lines("speed.jsonl"):
        workload, other = one["workload"], beside[one["workload"], one["hidden"]]
        now = other["seconds_of_fast_float32"] * SLOWER[workload]
        genn = (f"{other[seconds] / now:.1f} times as long" for seconds in ("seconds", "seconds_kernels"))
        error = f"{max(one['agreement']['gradient_error'].values()):.0e}".replace("e-0", "e-")
        grid = f"{one['yardstick']['ratio']:.0f} times as long" if one["yardstick"] else ""
        wide = " --hidden 512" * (one["hidden"] == 512)
        bare = f"{one['bare_loop']['ratio']:.1f}"
        rows.append([f"`{workload}{wide}`", f"{one['seconds']:.3g}", bare, grid, *genn, error])
    head = "workload", "a step, s", "to a bare loop", "a grid in torch takes", "mlGeNN takes", "its kernels alone"
    return table([*head, "error of a block"], rows)


TABLES: dict[str, Callable[[], str]] = {
    "kinds": partial(by_kind, "yin-yang.jsonl", "braille-recurrent.jsonl", "braille.jsonl"),
    "sizes": partial(by_kind, "sizes.jsonl", "paper/yin-yang.jsonl"),
    "sizes-recurrent": partial(by_kind, "sizes-recurrent.jsonl"),
    "speech": speech,
    "speech-short": partial(tried, "shd", "tried/neurons.jsonl", "tried/shd.jsonl"),
    "ssc": partial(by_kind, "ssc.jsonl"),
    "layers-shd": partial(tried, "shd", "tried/layers.jsonl"),
    "clocks": clocks,
    "speeds": speeds,
}


def written(text: str) -> str:
    """A page with its tables; `SpecError`: one that is not in `TABLES`."""

    def put(place: re.Match[str]) -> str:
        return f"{place[1]}\n{TABLES[one_of(place[2], 'table', tuple(TABLES))]()}\n\n"

    return PLACE.sub(put, text)


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; the exit code."""
    parser = OneLineParser("python -m results.tables", "Write the tables of the pages from the recorded runs.")
    return parser.run_writer(_write, argv)


def _write(_: argparse.Namespace) -> int:
    for page in PAGES:
        write_whole(page, written(page.read_text(encoding="utf-8")).encode())
    return 0


if __name__ == "__main__":
    run_and_exit(main)
