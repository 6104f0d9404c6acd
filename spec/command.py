"""Shared by the commands: exit codes, and one line on standard error per error of the user."""

import argparse
import atexit
import difflib
import errno
import json
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import NoReturn

from delayprop.spec.case import Case, load_case
from delayprop.spec.errors import SpecError, printable, short
from delayprop.spec.results import Result

BAD_INPUT, NOT_FINITE, NO_MEMORY, NO_ROOM = 2, 3, 3, 4
READER_LEFT = 141  # 128 + SIGPIPE, as a shell reports a program that this signal ended
LONGEST = 380  # characters of a message: errors of arithmetic list populations, errors of the parser words
Codes = Mapping[type[Exception], int]


class OneLineParser(argparse.ArgumentParser):
    """The options of one command. It refuses abbreviations, and reports an error in one line."""

    def __init__(self, prog: str, description: str) -> None:
        super().__init__(prog=prog, description=description, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        raise SystemExit(report(self.prog, f"{message}{self._meant(message)} (see --help)"))

    def _meant(self, message: str) -> str:
        """`; did you mean ...?` for a word that is nearly an option, or a value of one."""
        number = re.search(r"argument (--[\w-]+): invalid (?:int|float) value: '[^']*,", message)
        if number:
            several = any(number[1] in one.option_strings and one.nargs in ("+", "*") for one in self._actions)
            return "; separate numbers by spaces" if several else "; write a decimal point"
        choice = re.search(r"invalid choice: '(.*?)' \(choose from (.*)\)", message)
        option = re.search(r"unrecognized arguments: (--[^\s=]+)", message)
        if choice:
            word, known = choice[1], [one.strip(" '") for one in choice[2].split(",")]
        elif option:
            word, known = option[1], re.findall(r"(?<![\w-])--[\w-]+", self.format_help())
        else:
            return ""
        near = difflib.get_close_matches(word, known, 1)
        return f"; did you mean `{near[0]}`?" if near else ""

    def run(
        self, body: Callable[[argparse.Namespace], int], argv: Sequence[str] | None, codes: Codes = MappingProxyType({})
    ) -> int:
        """Run `body` on the options in `argv` (None: the command line), as `guarded` does."""
        return guarded(self.prog, lambda: body(self.parse_args(argv)), codes)

    def run_writer(self, body: Callable[[argparse.Namespace], int], argv: Sequence[str] | None) -> int:
        """As `run`, for a `body` whose `OSError` is a file that cannot be written: exit code 2."""

        def writing(options: argparse.Namespace) -> int:
            try:
                return body(options)
            except BrokenPipeError:  # no file: the reader of the output has left, see `run_and_exit`
                raise
            except OSError as error:
                return report(self.prog, f"cannot write: {error}")

        return self.run(writing, argv)


def guarded(prog: str, body: Callable[[], int], codes: Codes = MappingProxyType({})) -> int:
    """Run the body of a command and return its exit code; report an error of the user in one line.

    Args:
        prog: the command as the user typed it.
        body: returns the exit code.
        codes: the exit codes of further errors of the user. Built in: `SpecError` 2,
            `ArithmeticError` and `MemoryError` 3.
    """
    known: Codes = {**codes, SpecError: BAD_INPUT, ArithmeticError: NOT_FINITE}
    try:
        return body()
    except tuple(known) as error:
        return report(prog, error, next(code for kind, code in known.items() if isinstance(error, kind)))
    except MemoryError as error:
        detail = f" ({error})" if str(error) else ""
        return report(prog, f"out of memory{detail}; make the network, the batch or the trial smaller", NO_MEMORY)
    except SystemExit as stop:  # from argparse: --help, or an error that is reported already
        return int(stop.code or 0)


def run_and_exit(main: Callable[[], int]) -> NoReturn:
    """Run a command and exit with its code; silently if the reader of its output left (`head`), in
    one line if its output is a file on a full disk.

    SIGPIPE's default is no alternative: it would end the program at a write to any pipe or socket.
    """
    try:
        code = main()
        if sys.stdout is not None:  # else it was closed before
            sys.stdout.flush()  # here, because an error of the flush at exit cannot be caught
    except OSError as error:
        if error.errno not in (errno.EPIPE, errno.ENOSPC, errno.EDQUOT) or error.filename is not None:
            raise
        # Python flushes the buffer again at exit; into the null device that raises nothing.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = READER_LEFT
        if error.errno != errno.EPIPE:
            code = report("delayprop", f"standard output cannot be written: {error.strerror}; make room", NO_ROOM)
    atexit.register(_leave, code)
    sys.exit(code)


def _leave(code: int) -> NoReturn:
    """Ends the process after its threads and exit handlers. Python would then free each object of
    torch, which takes a second, and more on a busy machine."""
    atexit.unregister(_leave)
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):  # without a stream, a reader, or closed
            stream.flush()
    os._exit(code)


def report(prog: str, message: object, code: int = BAD_INPUT) -> int:
    """Print `message` in one short line on standard error; returns the exit code."""
    print(f"{printable(prog)}: {short(message, LONGEST, end=LONGEST // 2)}", file=sys.stderr)
    return code


def run_case_command(
    parser: OneLineParser, run: Callable[[Case, argparse.Namespace], Result], argv: Sequence[str] | None
) -> int:
    """Run the case that the command line names, print its result as JSON, return the exit code."""
    parser.add_argument("case", metavar="CASE.json", help="case file (spec/SPECIFICATION.md, section 7)")

    def body(options: argparse.Namespace) -> int:
        case = load_case(options.case)
        print(json.dumps(run(case, options).to_dict(case.network), allow_nan=False))
        return 0

    return parser.run(body, argv)
