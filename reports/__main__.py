"""`python -m reports`: run every check and write the verification report; `python -m reports RUN`: draw a run again."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from reports import sequence, training
from reports.records import RecordError, result
from reports.verification import command

REPORT = Path("verification")
DRAWERS = {"sequence": sequence, **dict.fromkeys(("yin-yang", "braille", "shd", "ssc", "spikes"), training)}


class _Parser(argparse.ArgumentParser):
    """Reports an error in one line, with exit code 2; that of `spec.command` is out of reach for this package."""

    def error(self, message: str) -> NoReturn:
        raise SystemExit(_report(self.prog, f"{message} (see --help)"))


def _report(prog: str, message: object) -> int:
    print(f"{prog}: " + " ".join(str(message).split()), file=sys.stderr)
    return 2


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code (0, 1: a check is red, 2: no such run, or no room for what it writes)."""
    said = "Run every check and write the verification report; or, with RUN, draw the pictures of a training run."
    parser = _Parser("python -m reports", description=said, allow_abbrev=False)
    parser.add_argument("run", metavar="RUN", type=Path, nargs="?", help="the folder of a run, to draw again")
    parser.add_argument("--quick", action="store_true", help="a tenth of the cases: a look, no evidence")
    parser.add_argument("--out", type=Path, help=f"where the report goes (default: {REPORT})")
    try:
        options = parser.parse_args(argv)
        if options.run is None:
            return command.make(options.out or REPORT, options.quick)
        if options.quick or options.out is not None:
            parser.error("--quick and --out are for the report, without RUN")
        task = result(options.run, {"task": set(DRAWERS)})["task"]
        print("\n".join(DRAWERS[task].draw(options.run)))
    except RecordError as error:
        return _report(parser.prog, error)
    except OSError as error:  # what cannot be read is a RecordError
        name, where = ("RUN", options.run) if options.run else ("--out", options.out or REPORT)
        reason = f"{error.strerror or error}: {where}"
        return _report(parser.prog, f"`{name}` must be a folder with room for what is written, got {reason}; make room")
    except SystemExit as stop:  # argparse: --help, or an error it has reported
        return int(stop.code or 0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
