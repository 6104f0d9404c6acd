"""`python -m results FOLDER...`: a line of JSON for each finished run, for a file in this folder."""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Sequence
from pathlib import Path

from fast.tasks.saved_runs import HOW_IT_RAN, records
from fast.training.checkpoints import Checkpoints, digest
from spec.command import OneLineParser, run_and_exit


def entry(folder: Path) -> dict:
    """What a finished run has reached.

    Raises:
        SpecError: the folder holds none.
    """
    options, result, log = records(folder)
    state, _ = Checkpoints(folder, own=False).load()
    return {
        **{name: value for name, value in options.items() if name not in HOW_IT_RAN},
        "network": result["network"], "best_epoch": result["best_epoch"], "test_accuracy": result["test_accuracy"],
        "valid_accuracy": max(line["valid_accuracy"] for line in log), "count_baseline": result["count_baseline"],
        "seconds": round(sum(line["seconds"] for line in log), 1), "machine": platform.machine(),
        "state_sha256": digest(state["training"]),
    }


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; the exit code."""
    parser = OneLineParser("python -m results", "Print a line of JSON for each finished run.")
    parser.add_argument("folders", metavar="FOLDER", nargs="+", type=Path, help="the --out of a run")
    return parser.run(_print, argv)


def _print(options: argparse.Namespace) -> int:
    print("\n".join([json.dumps(entry(folder)) for folder in options.folders]))
    return 0


if __name__ == "__main__":
    run_and_exit(main)
