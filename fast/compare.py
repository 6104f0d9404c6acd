"""`delayprop compare RUN RUN...`: a table of finished runs, one row per group of seeds, and with
`--picture` their accuracies as points; with `--train` it trains them first.

Below the table: the difference of each row to the first over seeds, and, since two runs on the same
trials are paired, McNemar's test of each pair of runs.
"""

import argparse
import hashlib
import json
import math
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

from delayprop.fast.compare_kinds import OPTION, compare_kinds
from delayprop.fast.drawing.comparison import RECURRENT, accuracies_over, check_picture, comparison
from delayprop.fast.runs.compared_runs import Group, by_task, differing_settings, grouped
from delayprop.fast.tasks.options import is_given
from delayprop.fast.training.intervals import FEWEST, interval_of_percents, mcnemar, mean_half_width
from delayprop.fast.training.settings import GROUPS, kind_of_delays
from delayprop.spec.command import OneLineParser, run_and_exit
from delayprop.spec.errors import SpecError, Verbatim, printable

HASH = 8  # shown digits of the SHA-256 of a file
KINDS = frozenset({"delay", "rec_delay", "freeze_delays", "freeze_weights", "learn_constants"})
"""Settings that a curve does not name where `kind_of_delays` tells its runs apart."""


def table(groups: Sequence[Group]) -> list[str]:
    """The lines to print: differing settings as a head, one row per group, the differences."""
    differing = differing_settings(groups)
    rows = [[*differing, "seeds", "test accuracy, %", "best valid, %", "time, s"]]
    rows += [
        [
            *(_shown(group.settings.get(name)) for name in differing), str(len(group.runs)), _mean(group.test),
            _mean([run.valid for run in group.runs.values()]),
            f"{statistics.mean(run.seconds for run in group.runs.values()):.0f}",
        ]
        for group in groups
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows] + [""]
    for n, group in enumerate(groups[1:], start=2):
        lines += [_difference(groups[0], group, n), *_by_trial(groups[0], group, n)]
    return lines


def _shown(value: object) -> str:
    """A setting as text: sizes of layers as `128-64`; of files, and of equations, first digits of
    their hashes."""
    if isinstance(value, str) and value.startswith("{"):
        return f"equations {hashlib.sha256(value.encode()).hexdigest()[:HASH]}"
    if isinstance(value, dict):
        return " ".join(str(entry)[:HASH] for entry in value.values())
    if isinstance(value, list):
        return " ".join(value) if value and isinstance(value[0], str) else "-".join(map(str, value)) or "-"
    return str(value)


def _mean(values: Sequence[float]) -> str:
    """Mean, standard deviation, and the 95 % interval of the mean, of percentages."""
    mean, found = statistics.mean(values), interval_of_percents(values)
    if len(values) == 1:
        return f"{mean:.1f}"
    shown = "too few seeds" if found is None else f"{found[0]:.1f} to {found[1]:.1f}"
    return f"{mean:.1f} ± {statistics.stdev(values):.1f} ({shown})"


def _difference(first: Group, other: Group, row: int) -> str:
    """The mean difference to the first row over common seeds, with its 95 % interval."""
    pairs = [other.runs[seed].test - first.runs[seed].test for seed in sorted(first.runs.keys() & other.runs.keys())]
    half = mean_half_width(pairs) if pairs else None
    if half is None:
        mean = statistics.mean(other.test) - statistics.mean(first.test)
        return f"row {row} - row 1: {mean:+.1f}, too few seeds in common for an interval ({len(pairs)} of {FEWEST})"
    mean, basis = statistics.mean(pairs), f"95 % of {len(pairs)} pairs of a seed"
    verdict = "apart" if mean - half > 0 or mean + half < 0 else "not told apart"
    return f"row {row} - row 1: {mean:+.1f} ({mean - half:+.1f} to {mean + half:+.1f}, {basis}): {verdict}"


def _by_trial(first: Group, other: Group, row: int) -> list[str]:
    """A line for each pair of runs: McNemar's test of their answers to the same trials."""
    pairs = [(seed, seed) for seed in first.runs if seed in other.runs]
    if not pairs and len(first.runs) == len(other.runs) == 1:
        pairs = list(zip(first.runs, other.runs, strict=True))
    lines = []
    for seed, seed_of_other in pairs:
        name = f"  seed {seed}" if seed == seed_of_other else f"  seeds {seed} and {seed_of_other}"
        one, two = first.runs[seed].wrong, other.runs[seed_of_other].wrong
        if one is None or two is None or one[0] != two[0]:
            reason = "other test trials" if one and two else "an older version recorded no answers by trial"
            lines.append(f"{name}: not compared trial by trial: {reason}")
            continue
        only_first, only_other = len(two[1] - one[1]), len(one[1] - two[1])
        p = mcnemar(only_first, only_other)
        right = f"{only_first} trials are right in row 1 alone, {only_other} in row {row} alone"
        lines.append(f"{name}: {right}: p {p:.2g} (McNemar, exact)")
    return lines


def main(argv: Sequence[str] | None = None, prog: str = "python -m fast.compare") -> int:
    """The command; returns the exit code (0; 2: no such run; with `--train`, those of `train`)."""
    words = list(sys.argv[1:] if argv is None else argv)
    if is_given(OPTION, words):
        return compare_kinds(words, prog, lambda runs: main(runs, prog))
    about = "Compare finished runs: mean ± sd over seeds, and the 95 % interval of the mean."
    parser = OneLineParser(prog, f"{about} `{OPTION} learned drawn none --task TASK ...` trains them first.")
    what = "folder of a finished run (its --out), or a .jsonl file of lines that `python -m results` printed"
    parser.add_argument("runs", metavar="RUN", nargs="+", type=Path, help=what)
    parser.add_argument("--picture", metavar="FILE", type=Path, help="also draw the test accuracies into this file")
    what = "with --picture: draw them against this setting, such as `hidden`, in a panel per task"
    parser.add_argument("--over", metavar="SETTING", help=what)
    what = "with --picture: a name for each row, in the order of the table, in place of its settings"
    parser.add_argument("--names", metavar="NAME", nargs="+", help=what)
    return parser.run_writer(_compare, words)


def _compare(options: argparse.Namespace) -> int:
    picture, over = options.picture, options.over
    if over is not None and picture is None:
        raise SpecError("--over", "given with --picture", Verbatim("no --picture"), "name the file to draw")
    if options.names is not None and (picture is None or over is not None):
        got = Verbatim("no --picture" if picture is None else "--over")
        raise SpecError("--names", "given with --picture, and without --over", got, "it names the rows of a picture")
    check_picture(picture)
    groups = grouped(options.runs, several_tasks=over is not None)
    if options.names is not None and len(options.names) != len(groups):
        got = Verbatim(f"{len(options.names)} for {len(groups)} rows")
        raise SpecError("--names", "one name per row", got, "run the command without --names to see the rows")
    of_task = by_task(groups)
    for task, found in of_task.items():
        print("\n".join(map(printable, [*([task] if len(of_task) > 1 else []), *table(found)])).rstrip())
    if picture is None:
        return 0
    content = ""
    if over is None:
        tests, names = [group.test for group in groups], differing_settings(groups)
        settings = [", ".join(f"{name} {_shown(group.settings.get(name))}" for name in names) for group in groups]
        labels = options.names or [label or "all runs" for label in settings]
        of_means = [interval_of_percents(test) for test in tests]
        of_trials = [[run.of_trials for run in group.runs.values()] for group in groups]
        figure = comparison(groups[0].settings["task"], labels, tests, of_means, of_trials)
    else:
        curves = {task: curves_over(found, over) for task, found in of_task.items()}
        figure, content = accuracies_over(over, curves, added_by_learning(of_task, over)), sha256_of(curves)
    shown = {"Description": content} if content and picture.suffix != ".pdf" else {}
    figure.savefig(picture, dpi=150, bbox_inches="tight", metadata=shown)
    print(f"picture: {picture}")
    return 0


def sha256_of(curves: dict[str, dict[str, dict[float, list[float]]]]) -> str:
    """The SHA-256 that a picture of these curves states: a stored picture can be held against lines
    of results without drawing it again."""
    return hashlib.sha256(json.dumps(curves, sort_keys=True).encode()).hexdigest()


def curves_over(groups: Sequence[Group], over: str) -> dict[str, dict[float, list[float]]]:
    """The accuracies of runs by their other settings, then by the value of the setting `over`."""
    return {
        label: {value: group.test for value, group in curve.items()}
        for label, curve in _groups_over(groups, over).items()
    }


def added_by_learning(
    of_task: dict[str, list[Group]], over: str
) -> dict[str, dict[float, tuple[float, float | None]]]:
    """What learned delays add to delays as drawn, in the mean of pairs of a seed, and half of its
    95 % interval (None: too few pairs), by task and value of `over`."""
    found: dict[str, dict[float, tuple[float, float | None]]] = {}
    for task, groups in of_task.items():
        curves = _groups_over(groups, over)
        for ending in ("", RECURRENT):
            learned, drawn = (curves.get(f"delays {kind}{ending}", {}) for kind in ("learned", "as drawn"))
            for value in learned.keys() & drawn.keys():
                one, other = learned[value].runs, drawn[value].runs
                if pairs := [one[seed].test - other[seed].test for seed in one if seed in other]:
                    found.setdefault(task + ending, {})[value] = statistics.mean(pairs), mean_half_width(pairs)
    return found


def _groups_over(groups: Sequence[Group], over: str) -> dict[str, dict[float, Group]]:
    """Runs by their label, then by the value of `over`. A label names the settings that differ, but
    first values alone where they tell runs of one value apart: they may follow from a size."""
    named = _named(groups) - {over, "recurrent"}
    labels = [_label(group, named - {*GROUPS["first values"]}) for group in groups]
    values = [_number(group, over) for group in groups]
    if len({*zip(labels, values, strict=True)}) < len(groups):
        labels = [_label(group, named) for group in groups]
    curves: dict[str, dict[float, Group]] = {}
    for group, label, value in zip(groups, labels, values, strict=True):
        if value in curves.setdefault(label, {}):
            got = Verbatim(f"two settings at {value:g}")
            raise SpecError("--over", "a setting of one value per curve", got, "leave out the runs of one of them")
        curves[label][value] = group
    return curves


def _named(groups: Sequence[Group]) -> set[str]:
    """The settings that differ within a kind of delays, or between kinds and are none of theirs. A
    bias spike may be what runs without delays have in place of them."""
    kinds = [(kind_of_delays(group.settings), bool(group.settings.get("recurrent"))) for group in groups]
    of_kind = [[group for group, own in zip(groups, kinds, strict=True) if own == kind] for kind in {*kinds}]
    with_delays = [group for group, (kind, _) in zip(groups, kinds, strict=True) if kind != "none"]
    between = {*differing_settings(groups)} - KINDS - {"bias"} | {*differing_settings(with_delays)} & {"bias"}
    return between.union(*(differing_settings(alike) for alike in of_kind))


def _label(group: Group, named: set[str]) -> str:
    recurrent = RECURRENT if group.settings.get("recurrent") else ""
    words = [f", {name} {_shown(group.settings.get(name))}" for name in sorted(named)]
    return f"delays {kind_of_delays(group.settings)}{recurrent}{''.join(words)}"


def _number(group: Group, over: str) -> float:
    """The value of a setting of numbers; a list of one number counts as it."""
    value = group.settings.get(over)
    if isinstance(value, list | tuple) and len(value) == 1:
        (value,) = value
    if type(value) not in (int, float) or not 0 < value < math.inf:  # type: ignore[operator]  # a number by now
        got = Verbatim(f"{over} {value!r}")
        raise SpecError("--over", "a setting that is one number above 0 in each run", got, "name another")
    return float(value)  # type: ignore[arg-type]  # as above


if __name__ == "__main__":
    run_and_exit(main)
