"""What the command lines share: one line for whatever is wrong, and the exit codes."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from spec.case import Case, load_case
from spec.errors import SpecError
from spec.results import Result

BAD_INPUT, NOT_FINITE, NO_MEMORY, NO_ROOM = 2, 3, 3, 4
NOBODY_READS = 141  # what a shell says of a program that SIGPIPE has ended


class OneLineParser(argparse.ArgumentParser):
    """An argument parser that refuses abbreviations and reports an error in one line, with exit code 2."""

    def __init__(self, prog: str, description: str) -> None:
        super().__init__(prog=prog, description=description, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        raise SystemExit(report(self.prog, f"{message} (see --help)"))


def run_and_exit(main: Callable[[], int]) -> NoReturn:
    """Run a command line and exit with its code; without a word if the reader of its output has left, as `head` does.

    The alternative, SIGPIPE's default, would end the program in the middle of whatever it does to any pipe or socket.
    """
    try:
        code = main()
        sys.stdout.flush()  # here, and not at exit, where an error can no longer be caught
    except BrokenPipeError:
        # What is still in the buffer goes nowhere, or Python would try once more at exit, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = NOBODY_READS
    sys.exit(code)


def report(prog: str, message: object, code: int = BAD_INPUT) -> int:
    """Print `message` in one line on standard error; the exit code."""
    print(f"{prog}: " + " ".join(str(message).split()), file=sys.stderr)
    return code


def report_no_memory(prog: str, error: object) -> int:
    """Print that memory ran out, and for what if that is known; the exit code."""
    what = f" ({error})" if str(error) else ""
    return report(prog, f"out of memory{what}; make the network, the batch or the trial smaller", NO_MEMORY)


def run_case_command(
    parser: OneLineParser, run: Callable[[Case, argparse.Namespace], Result], argv: Sequence[str] | None
) -> int:
    """Load the case that the command line names, run it, print its result as one JSON object; the exit code."""
    parser.add_argument("case", metavar="CASE.json", help="a case file (spec/SPECIFICATION.md, section 7)")
    try:
        options = parser.parse_args(argv)
        case = load_case(options.case)
        print(json.dumps(run(case, options).to_dict(case.network), allow_nan=False))
    except SpecError as error:
        return report(parser.prog, error)
    except ArithmeticError as error:
        return report(parser.prog, error, NOT_FINITE)
    except MemoryError as error:
        return report_no_memory(parser.prog, error)
    except SystemExit as stop:  # argparse: --help, or an error it has reported
        return int(stop.code or 0)
    return 0
