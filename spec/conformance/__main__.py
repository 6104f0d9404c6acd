"""`python -m spec.conformance --command "PROGRAM"`: grade a simulator against stored cases."""

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from delayprop.spec.checks import finite_number, positive_number
from delayprop.spec.command import OneLineParser, run_and_exit
from delayprop.spec.conformance.cases import Stored, needs, stored
from delayprop.spec.conformance.peers import of_command
from delayprop.spec.conformance.report import graded
from delayprop.spec.errors import SpecError, Verbatim

TIMEOUT, DIGITS = 60.0, 1.0


def main(argv: Sequence[str] | None = None, prog: str = "python -m spec.conformance") -> int:
    """The command line; exit code 0: nothing offered is wrong, 1: something is, 2: bad options."""
    parser = OneLineParser(prog, "Grade a simulator against cases with known results.")
    help_ = "the simulator; it gets the path of a case file and prints its result as `python -m reference` does"
    parser.add_argument("--command", metavar='"PROGRAM ARGUMENTS"', help=help_)
    parser.add_argument("--list", action="store_true", help="list the cases and the capabilities that each needs")
    parser.add_argument("--save", metavar="DIR", help="write the case files, with their results, into a folder")
    parser.add_argument("--case", metavar="NAME", action="append", help="only this case; may be repeated")
    parser.add_argument("--json", metavar="FILE", help="also write the report as JSON")
    parser.add_argument("--timeout", metavar="S", type=float, help=f"seconds per case (default: {TIMEOUT:g})")
    help_ = f"right digits below which a block counts as wrong (default: {DIGITS:g})"
    parser.add_argument("--digits", metavar="N", type=float, help=help_)

    def body(options: argparse.Namespace) -> int:
        if sum((options.command is not None, options.list, options.save is not None)) != 1:
            parser.error("give one of --command, --list and --save")
        for name in ("json", "timeout", "digits"):
            if options.command is None and getattr(options, name) is not None:
                parser.error(f"--{name} goes with --command only")
        cases = stored(options.case)
        if options.list:
            width = max(len(one.name) for one in cases)
            for one in cases:
                print(f"{one.name:{width}}  {', '.join(needs(one))}")
            return 0
        return _grade(cases, options) if options.save is None else _save(cases, options.save)

    return parser.run(body, argv)


def _save(cases: Sequence[Stored], folder: str) -> int:
    """Write the files; an existing file with other content is not overwritten."""
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        for one in cases:
            path = Path(folder) / f"{one.name}.json"
            if path.exists() and path.read_bytes() != one.text.encode():
                raise SpecError("save", "a folder without other files of these names", str(path), "choose another")
            path.write_bytes(one.text.encode())
    except OSError as error:
        raise _not_writable("save", folder, error) from None
    print(f"{len(cases)} cases in {folder}")
    return 0


def _grade(cases: Sequence[Stored], options: argparse.Namespace) -> int:
    least = DIGITS if options.digits is None else finite_number(options.digits, "digits")
    timeout = TIMEOUT if options.timeout is None else positive_number(options.timeout, "timeout", "s")
    try:
        command = shlex.split(options.command)
    except ValueError as error:
        raise SpecError("command", "a command line", Verbatim(str(error)), "close the quotes") from None
    if not command:
        raise SpecError("command", "a program and its arguments", Verbatim("nothing"), "name one")
    if options.json is not None:
        _write(options.json, "", "a")  # before anything runs: it may take long
    found = graded(of_command(command, timeout), options.command, cases, least, _show_progress)
    if options.json is not None:
        _write(options.json, json.dumps(found.to_dict(), indent=1, allow_nan=False) + "\n")
    print(found)
    return 0 if found.passed else 1


def _show_progress(name: str) -> None:
    if sys.stderr.isatty():
        print(f"{name} ...", file=sys.stderr)


def _write(path: str, text: str, mode: str = "w") -> None:
    try:
        with open(path, mode, encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise _not_writable("json", path, error) from None


def _not_writable(option: str, path: str, error: OSError) -> SpecError:
    return SpecError(option, "a place that can be written to", Verbatim(f"{path}: {error.strerror}"), "choose another")


if __name__ == "__main__":
    run_and_exit(main)
