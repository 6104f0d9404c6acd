"""Run the proofs and print tag, statement and verdict of each."""

import argparse
import sys
import textwrap
import time
from collections.abc import Sequence
from typing import NoReturn

from delayprop.derivations import described
from delayprop.derivations.chapters import theorems
from delayprop.derivations.errata import ERRATA
from delayprop.spec import SpecError
from delayprop.spec.command import report
from delayprop.spec.neuron import load_neuron

SHOWN_RESIDUAL = 300  # characters; a refuted residual can be pages long


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see --help\n")


def parsed(argv: Sequence[str] | None, known: Sequence[str]) -> argparse.Namespace:
    parser = Parser(prog="python -m derivations", description=__doc__, allow_abbrev=False)
    parser.add_argument("tags", nargs="*", metavar="TAG", help="prove only these (default: all)")
    parser.add_argument("--errata", action="store_true", help="only list the slips found in the paper")
    parser.add_argument("--neuron", metavar="FILE", help="derive and prove the adjoint of the neuron of a JSON file")
    options = parser.parse_args(argv)
    for tag in options.tags:
        if tag not in known:
            parser.error(f"`TAG` must be one of {', '.join(known)}, got {tag}")
    return options


def main(argv: Sequence[str] | None = None) -> int:
    everything = theorems()
    options = parsed(argv, [theorem.tag for theorem in everything])
    if options.neuron is not None:
        return prove_neuron(options.neuron)
    if options.errata:
        for erratum in ERRATA:
            shown = f" [{erratum.shown}]" if erratum.shown else ""
            print(textwrap.fill(f"{erratum.where}: {erratum.what}{shown}", width=118, subsequent_indent="    "))
        return 0
    started, proved = time.perf_counter(), 0
    to_prove = [theorem for theorem in everything if not options.tags or theorem.tag in options.tags]
    tag_width = max(len(theorem.tag) for theorem in to_prove)
    width = max(len(theorem.statement) for theorem in to_prove)
    for theorem in to_prove:
        failures = theorem.prove().failures()
        verdict = "NOT PROVED" if failures else "proved"
        print(f"{theorem.tag:{tag_width}}  {theorem.statement:{width}}  {verdict}", flush=True)
        for label, left in failures.items():
            print(f"{'':{tag_width}}  {label}: {textwrap.shorten(str(left), SHOWN_RESIDUAL)} is left")
        proved += not failures
    print(f"{proved} of {len(to_prove)} proved in {time.perf_counter() - started:.1f} s")
    return 0 if proved == len(to_prove) else 1


def prove_neuron(path: str) -> int:
    """Print the adjoint of a neuron of the user, and whether it is proved."""
    try:
        neuron = load_neuron(path)
        for line in described.lines(neuron):
            print(line, flush=True)
    except SpecError as error:
        return report("python -m derivations", str(error))
    proved, sentence = described.verdict(neuron)
    print(sentence)
    return 0 if proved else 1


if __name__ == "__main__":
    sys.exit(main())
