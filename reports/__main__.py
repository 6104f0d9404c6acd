"""`python -m reports`: the verification report; `python -m reports RUN`: the pictures of a run."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from delayprop.fast.data.records import RecordError
from delayprop.fast.drawing import __main__ as drawing
from delayprop.spec.command import BAD_INPUT, OneLineParser, report, run_and_exit
from reports import command

REPORT = Path("verification")


def main(argv: Sequence[str] | None = None, prog: str = "python -m reports") -> int:
    """The command line; exit code 0, 1: a check is red, 2: no such run, or folder not writable."""
    described = "Run every check and write the verification report; or, with RUN, draw the pictures of a training run."
    parser = OneLineParser(prog, described)
    parser.add_argument("run", metavar="RUN", type=Path, nargs="?", help="folder of a run to draw again")
    parser.add_argument("--quick", action="store_true", help="a tenth of the cases: a quick look, no evidence")
    parser.add_argument("--out", type=Path, help=f"folder of the report (default: {REPORT})")

    def body(options: argparse.Namespace) -> int:
        if options.run is not None:
            if options.quick or options.out is not None:
                parser.error("--quick and --out are for the report, without RUN")
            return drawing.main([str(options.run)], prog)
        try:
            return command.make(options.out or REPORT, options.quick)
        except OSError as error:
            reason = f"{error.strerror or error}: {options.out or REPORT}"
            return report(prog, f"`--out` must be a folder with room for the report, got {reason}; make room")

    return parser.run(body, argv, {RecordError: BAD_INPUT})


if __name__ == "__main__":
    run_and_exit(main)
