"""`python -m results FOLDER...`: print one line of JSON for each finished run."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from pathlib import Path

from fast.training.checkpoints import Checkpoints, digest
from fast.training.saved_runs import HOW_IT_RAN, records
from spec import SpecError
from spec.command import OneLineParser, report, run_and_exit

PROG = "python -m results"


def entry(folder: Path) -> dict:
    """The result of a finished run.

    Raises:
        SpecError: the folder holds no finished run.
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
    parser = OneLineParser(PROG, "Print one line of JSON for each finished run.")
    parser.add_argument("folders", metavar="FOLDER", nargs="+", type=Path, help="the --out of a run")
    try:
        lines = [json.dumps(entry(folder)) for folder in parser.parse_args(argv).folders]
    except SpecError as error:
        return report(PROG, error)
    except SystemExit as stop:  # argparse: --help, or an error it has reported
        return int(stop.code or 0)
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    run_and_exit(main)
