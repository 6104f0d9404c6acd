"""`delayprop compare RUN RUN...`: a table of finished runs, one row per group of seeds, and with
`--picture` their accuracies as points.

Below the table: the difference of each row to the first over seeds, and, since two runs on the same
trials are paired, McNemar's test of each pair of runs.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from delayprop.fast.drawing.comparison import comparison
from delayprop.fast.drawing.records import COUNT, check_shape
from delayprop.fast.tasks.saved_runs import HOW_IT_RAN, check_network, records
from delayprop.fast.training.intervals import FEWEST, interval_of_percents, mcnemar, mean_half_width
from delayprop.fast.training.run_folder import RESULT
from delayprop.spec import SpecError
from delayprop.spec.command import OneLineParser, run_and_exit
from delayprop.spec.errors import Verbatim, printable

NOT_A_SETTING = HOW_IT_RAN | {"seed", "preset", "certify"}
HASH = 8  # shown digits of the SHA-256 of a file


@dataclass
class Group:
    """Runs that differ only in their seed."""

    settings: dict
    seeds: list[int] = field(default_factory=list)
    test: list[float] = field(default_factory=list)
    valid: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    of_trials: list[tuple[float, float]] = field(default_factory=list)
    """Of each run, the 95 % interval of its test accuracy by the number of trials, in per cent."""
    wrong: list[tuple[str, frozenset[int]] | None] = field(default_factory=list)
    """Of each run, the SHA-256 of its test trials, and the wrong ones; None: not recorded."""


def grouped(folders: Sequence[Path]) -> list[Group]:
    """The runs in groups of equal settings, in the order given.

    Raises:
        SpecError: a run that is not finished, does not classify, lacks the interval of its
            accuracy, has a network that is not finite, or appears twice; runs of different tasks.
    """
    groups: list[Group] = []
    for folder in folders:
        options, result, log = records(folder)
        check_network(folder)
        if "test_accuracy" not in result:
            raise SpecError(str(folder), "a run that classifies", Verbatim(options.get("task")), "leave it out")
        if groups and options["task"] != groups[0].settings["task"]:
            expected = f"a run of {groups[0].settings['task']}, as the first"
            raise SpecError(str(folder), expected, options["task"], "compare runs of one task")
        settings = {name: value for name, value in options.items() if name not in NOT_A_SETTING}
        group = next((one for one in groups if one.settings == settings), None)
        if group is None:
            groups.append(group := Group(settings))
        if options["seed"] in group.seeds:
            got = Verbatim(f"seed {options['seed']} twice")
            raise SpecError(str(folder), "a run of another seed or settings", got, "name each run once")
        group.seeds.append(options["seed"])
        group.test.append(100 * result["test_accuracy"])
        group.valid.append(100 * max(line["valid_accuracy"] for line in log))
        group.seconds.append(sum(line["seconds"] for line in log))
        group.of_trials.append(_interval(folder, result))
        group.wrong.append(_wrong(folder, result))
    return groups


def _interval(folder: Path, result: dict) -> tuple[float, float]:
    """The 95 % interval of the test accuracy of a run, in per cent."""
    low, high = result.get("interval", (1.0, 0.0))
    if low > high:
        got = Verbatim(result.get("interval", "none"))
        raise SpecError(f"{folder / RESULT} interval", "the interval of the test accuracy", got, "train again")
    return 100 * low, 100 * high


def _wrong(folder: Path, result: dict) -> tuple[str, frozenset[int]] | None:
    """The test trials of a run, as their SHA-256, and which of them it has wrong."""
    if not {"trials_sha256", "wrong"} <= result.keys():
        return None  # a run of an older version
    if result["wrong"] != []:
        check_shape(result["wrong"], [(COUNT, COUNT)], f"{folder / RESULT} wrong")
    return result["trials_sha256"], frozenset(trial for trial, _ in result["wrong"])


def table(groups: Sequence[Group]) -> list[str]:
    """The lines to print: differing settings as a head, one row per group, the differences."""
    differing = differing_settings(groups)
    head = [*differing, "seeds", "test accuracy, %", "best valid, %", "time, s"]
    rows = [
        [
            *(_shown(group.settings.get(name)) for name in differing), str(len(group.seeds)),
            _mean(group.test), _mean(group.valid), f"{statistics.mean(group.seconds):.0f}",
        ]
        for group in groups
    ]
    widths = [max(len(row[n]) for row in [head, *rows]) for n in range(len(head))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in [head, *rows]
    ]
    lines.append("")
    for n, group in enumerate(groups[1:], start=2):
        lines += [_difference(groups[0], group, n), *_by_trial(groups[0], group, n)]
    return lines


def differing_settings(groups: Sequence[Group]) -> list[str]:
    """The settings in which the groups differ."""
    names = sorted({name for group in groups for name in group.settings})
    return [n for n in names if len({repr(group.settings.get(n)) for group in groups}) > 1]


def _shown(value: object) -> str:
    """A setting as text; for files, the first digits of their hashes."""
    if isinstance(value, dict):
        return " ".join(str(entry)[:HASH] for entry in value.values())
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
    seeds = sorted({*first.seeds} & {*other.seeds})
    pairs = [other.test[other.seeds.index(seed)] - first.test[first.seeds.index(seed)] for seed in seeds]
    half = mean_half_width(pairs) if pairs else None
    if half is None:
        mean = statistics.mean(other.test) - statistics.mean(first.test)
        return f"row {row} - row 1: {mean:+.1f}, too few seeds in common for an interval ({len(pairs)} of {FEWEST})"
    mean, basis = statistics.mean(pairs), f"95 % of {len(pairs)} pairs of a seed"
    verdict = "apart" if mean - half > 0 or mean + half < 0 else "not told apart"
    return f"row {row} - row 1: {mean:+.1f} ({mean - half:+.1f} to {mean + half:+.1f}, {basis}): {verdict}"


def _by_trial(first: Group, other: Group, row: int) -> list[str]:
    """A line for each pair of runs: McNemar's test of their answers to the same trials."""
    pairs = [(seed, seed) for seed in first.seeds if seed in other.seeds]
    if not pairs and len(first.seeds) == len(other.seeds) == 1:
        pairs = [(first.seeds[0], other.seeds[0])]
    lines = []
    for seed, seed_of_other in pairs:
        name = f"  seed {seed}" if seed == seed_of_other else f"  seeds {seed} and {seed_of_other}"
        one, two = first.wrong[first.seeds.index(seed)], other.wrong[other.seeds.index(seed_of_other)]
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
    """The command; returns the exit code (0; 2: no such run)."""
    parser = OneLineParser(prog, "Compare finished runs: mean ± sd over seeds, and the 95 % interval of the mean.")
    parser.add_argument("runs", metavar="RUN", nargs="+", type=Path, help="folder of a finished run (its --out)")
    parser.add_argument("--picture", metavar="FILE", type=Path, help="also draw the test accuracies into this file")
    return parser.run_writer(_compare, argv)


def _compare(options: argparse.Namespace) -> int:
    groups = grouped(options.runs)
    print("\n".join(map(printable, table(groups))).rstrip())
    if options.picture is not None:
        names = differing_settings(groups)
        labels = [", ".join(f"{name} {_shown(group.settings.get(name))}" for name in names) for group in groups]
        if options.picture.suffix.lstrip(".") not in ("png", "svg", "pdf"):
            raise SpecError("--picture", "a file that ends in .png, .svg or .pdf", str(options.picture), "name it so")
        tests, task = [group.test for group in groups], groups[0].settings["task"]
        of_means, of_trials = [interval_of_percents(test) for test in tests], [group.of_trials for group in groups]
        figure = comparison(task, labels, tests, of_means, of_trials)
        figure.savefig(options.picture, dpi=150, bbox_inches="tight")
        print(f"picture: {options.picture}")
    return 0


if __name__ == "__main__":
    run_and_exit(main)
