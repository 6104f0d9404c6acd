"""`python -m results FOLDER...`: print one line of JSON for each finished run."""

from __future__ import annotations

import argparse
import json
import math
import platform
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from fast.tasks.saved_runs import HOW_IT_RAN, records
from fast.training.checkpoints import Checkpoints, digest
from fast.training.restoring import check_content
from spec.command import OneLineParser, run_and_exit


def entry(folder: Path) -> dict:
    """The result of a finished run.

    Raises:
        SpecError: the folder holds no finished run.
    """
    options, result, log = records(folder)
    state, _ = Checkpoints(folder, own=False).load(partial(check_content, steps=math.inf))
    tested = next(line for line in log if line["epoch"] == result["best_epoch"])
    return {
        **{name: value for name, value in options.items() if name not in HOW_IT_RAN},
        "network": result["network"], "best_epoch": result["best_epoch"], "test_accuracy": result["test_accuracy"],
        "train_accuracy": tested["train_accuracy"], "valid_accuracy": tested["valid_accuracy"],
        "count_baseline": result["count_baseline"],
        "seconds": round(sum(line["seconds"] for line in log), 1), "machine": platform.machine(),
        "state_sha256": digest(state["training"]),
    }


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; the exit code."""
    parser = OneLineParser("python -m results", "Print one line of JSON for each finished run.")
    parser.add_argument("folders", metavar="FOLDER", nargs="+", type=Path, help="the --out of a run")
    return parser.run(_print, argv)


def _print(options: argparse.Namespace) -> int:
    print("\n".join([json.dumps(entry(folder)) for folder in options.folders]))
    return 0


if __name__ == "__main__":
    run_and_exit(main)
