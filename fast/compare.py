"""`python -m fast.compare RUN RUN...`: finished runs in a table, those that differ in their seed alone as one row."""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fast.tasks.saved_runs import HOW_IT_RAN, records
from fast.training.intervals import mean_half_width
from spec import SpecError
from spec.command import OneLineParser, run_and_exit
from spec.errors import Verbatim

NOT_A_SETTING = HOW_IT_RAN | {"seed", "preset", "certify"}
HASH = 8  # digits of a file's SHA-256 that a table shows


@dataclass
class Group:
    """Runs with the same settings."""

    settings: dict
    seeds: list[int] = field(default_factory=list)
    test: list[float] = field(default_factory=list)
    valid: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


def grouped(folders: Sequence[Path]) -> list[Group]:
    """The runs by their settings, in the order given.

    Raises:
        SpecError: one has not finished, classifies nothing, or is there twice.
    """
    groups: list[Group] = []
    for folder in folders:
        options, result, log = records(folder)
        if "test_accuracy" not in result:
            raise SpecError(str(folder), "a run that classifies", Verbatim(options.get("task")), "leave it out")
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
    return groups


def table(groups: Sequence[Group]) -> list[str]:
    """The lines to print: the settings that differ, then a row each, then what two rows have to do with each other."""
    names = sorted({name for group in groups for name in group.settings})
    differing = [n for n in names if len({repr(group.settings.get(n)) for group in groups}) > 1]
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
    return [*lines, "", *(_difference(groups[0], group, n) for n, group in enumerate(groups[1:], start=2))]


def _shown(value: object) -> str:
    """A setting; of files the first digits of their hashes."""
    if isinstance(value, dict):
        return " ".join(str(entry)[:HASH] for entry in value.values())
    return str(value)


def _mean(values: Sequence[float]) -> str:
    """Mean, sd, and the interval of the mean."""
    half, mean = mean_half_width(values), statistics.mean(values)
    if half is None:
        return f"{mean:.1f}"
    return f"{mean:.1f} ± {statistics.stdev(values):.1f} ({mean - half:.1f} to {mean + half:.1f})"


def _difference(first: Group, other: Group, row: int) -> str:
    """How much better another row is than the first, seed by seed where both have the same."""
    seeds = sorted({*first.seeds} & {*other.seeds})
    pairs = [other.test[other.seeds.index(seed)] - first.test[first.seeds.index(seed)] for seed in seeds]
    half = mean_half_width(pairs) if pairs else None
    if half is None:
        return f"row {row} - row 1: {statistics.mean(other.test) - statistics.mean(first.test):+.1f}, no interval"
    mean, says = statistics.mean(pairs), f"95 % of {len(pairs)} pairs of a seed"
    far = "apart" if mean - half > 0 or mean + half < 0 else "not told apart"
    return f"row {row} - row 1: {mean:+.1f} ({mean - half:+.1f} to {mean + half:+.1f}, {says}): {far}"


def main(argv: Sequence[str] | None = None, prog: str = "python -m fast.compare") -> int:
    """The command; returns the exit code (0; 2: no such run)."""
    parser = OneLineParser(prog, "Compare finished runs: mean ± sd over seeds, and the 95 % interval of the mean.")
    parser.add_argument("runs", metavar="RUN", nargs="+", type=Path, help="folder of a finished run (its --out)")
    return parser.run(_compare, argv)


def _compare(options: argparse.Namespace) -> int:
    print("\n".join(table(grouped(options.runs))).rstrip())
    return 0


if __name__ == "__main__":
    run_and_exit(main)
