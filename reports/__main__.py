"""`python -m reports RUN`: draw the pictures of a run's folder again."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from reports import sequence, training
from reports.records import RecordError, result

DRAWERS = {"sequence": sequence, **dict.fromkeys(("yin-yang", "braille", "shd", "ssc", "spikes"), training)}


class _Parser(argparse.ArgumentParser):
    """Reports an error in one line, with exit code 2; that of `spec.command` is out of reach for this package."""

    def error(self, message: str) -> NoReturn:
        raise SystemExit(_report(self.prog, f"{message} (see --help)"))


def _report(prog: str, message: object) -> int:
    print(f"{prog}: " + " ".join(str(message).split()), file=sys.stderr)
    return 2


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code (0, 2: no such run, or no room for its pictures)."""
    parser = _Parser("python -m reports", description="Draw the pictures of a training run.", allow_abbrev=False)
    parser.add_argument("run", metavar="RUN", type=Path, help="the folder of a run")
    try:
        run = parser.parse_args(argv).run
        task = result(run, {"task": set(DRAWERS)})["task"]
        print("\n".join(DRAWERS[task].draw(run)))
    except RecordError as error:
        return _report(parser.prog, error)
    except OSError as error:  # what cannot be read is a RecordError
        reason = f"{error.strerror or error}: {run}"
        return _report(parser.prog, f"`RUN` must be a folder with room for pictures, got {reason}; make room")
    except SystemExit as stop:  # argparse: --help, or an error it has reported
        return int(stop.code or 0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
