"""`python -m reports RUN`: draw the pictures of a run's folder again."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from reports import sequence, training
from reports.records import result


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code (0, 2: no such run)."""
    parser = argparse.ArgumentParser(prog="python -m reports", description="Draw the pictures of a training run.")
    parser.add_argument("run", metavar="RUN", type=Path, help="the folder of a run")
    run = parser.parse_args(argv).run
    try:
        drawer = sequence if result(run)["task"] == "sequence" else training
        print("\n".join(drawer.draw(run)))
    except (OSError, ValueError, KeyError) as error:
        got = f"{run} ({type(error).__name__})"
        text = f"`RUN` must be the folder of a finished run, got {got}; give one with result.json"
        print(f"python -m reports: {text}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
