"""Run every proof and say what came out: tag, statement, verdict."""

import argparse
import sys
import textwrap
import time
from collections.abc import Sequence
from typing import NoReturn

from derivations.chapters import theorems
from derivations.errata import ERRATA

SHOWN_RESIDUAL = 300  # characters; a refuted residual can be pages long


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; try --help\n")


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(prog="python -m derivations", description=__doc__, allow_abbrev=False)
    parser.add_argument("--errata", action="store_true", help="list the slips found in the paper instead, and stop")
    return parser.parse_args(argv)


def print_errata() -> None:
    for erratum in ERRATA:
        shown = f" [{erratum.shown}]" if erratum.shown else ""
        print(textwrap.fill(f"{erratum.where}: {erratum.what}{shown}", width=118, subsequent_indent="    "))


def main(argv: Sequence[str] | None = None) -> int:
    if arguments(argv).errata:
        print_errata()
        return 0
    started = time.perf_counter()
    proved = 0
    everything = theorems()
    width = max(len(theorem.tag) for theorem in everything)
    for theorem in everything:
        failures = theorem.prove().failures()
        print(f"{theorem.tag:{width}}  {theorem.statement}  {'NOT PROVED' if failures else 'proved'}", flush=True)
        for label, left in failures.items():
            print(f"{'':{width}}  {label}: {textwrap.shorten(str(left), SHOWN_RESIDUAL)} is left")
        proved += not failures
    print(f"{proved} of {len(everything)} proved in {time.perf_counter() - started:.1f} s")
    return 0 if proved == len(everything) else 1


if __name__ == "__main__":
    sys.exit(main())
