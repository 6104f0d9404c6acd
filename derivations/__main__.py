"""Run the proofs and print tag, statement and verdict of each."""

import argparse
import difflib
import textwrap
import time
from collections.abc import Iterator, Sequence

import sympy as sp
from sympy.printing.str import StrPrinter

from delayprop.derivations import linear_neuron
from delayprop.derivations.chapters import theorems
from delayprop.derivations.linear_neuron import LinearNeuron
from delayprop.derivations.neuron import residuals
from delayprop.derivations.paper import ERRATA
from delayprop.derivations.proof import simplest
from delayprop.spec import SpecError
from delayprop.spec.command import OneLineParser, run_and_exit
from delayprop.spec.neuron import Neuron, load_neuron

SHOWN_RESIDUAL = 300  # characters; a refuted residual can be pages long


def main(argv: Sequence[str] | None = None, prog: str = "python -m derivations") -> int:
    """The command; returns the exit code (0; 1: a formula is not proved; 2: bad input)."""
    parser = OneLineParser(prog, "Run the proofs and print tag, statement and verdict of each.")
    parser.add_argument("tags", nargs="*", metavar="TAG", help="prove only these (default: all)")
    parser.add_argument("--errata", action="store_true", help="only list the slips found in the paper")
    parser.add_argument("--neuron", metavar="FILE", help="derive and prove the adjoint of the neuron of a JSON file")
    return parser.run(_run, argv)


def _run(options: argparse.Namespace) -> int:
    everything = theorems()
    known = [theorem.tag for theorem in everything]
    for tag in options.tags:
        if tag not in known:
            nearest = ", ".join(difflib.get_close_matches(tag, known, 3, 0.0))
            remedy = f"the nearest are {nearest}; without one all are proved"
            raise SpecError("TAG", "the tag of a formula", tag, remedy)
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
        failures = theorem.failures()
        verdict = "NOT PROVED" if failures else "proved"
        print(f"{theorem.tag:{tag_width}}  {theorem.statement:{width}}  {verdict}", flush=True)
        for label, left in failures.items():
            print(f"{'':{tag_width}}  {label}: {textwrap.shorten(str(left), SHOWN_RESIDUAL)} is left")
        proved += not failures
    print(f"{proved} of {len(to_prove)} proved in {time.perf_counter() - started:.1f} s")
    return 0 if proved == len(to_prove) else 1


def prove_neuron(path: str) -> int:
    """Print the adjoint of a neuron of the user, and whether it is proved."""
    neuron = load_neuron(path)
    for line in described(neuron):
        print(line, flush=True)
    started, found = time.perf_counter(), residuals(neuron)
    refuted = [name for name, left in found.items() if simplest(left) != 0]
    proved = f"{len(found) - len(refuted)} of {len(found)} formulas proved in {time.perf_counter() - started:.1f} s"
    print("; not ".join([proved, *refuted]))
    return 1 if refuted else 0


q = sp.Symbol("q")


def described(neuron: Neuron) -> Iterator[str]:
    """What happens to `p = dL/dx` and to the gradients, event by event."""
    n = LinearNeuron.of(neuron)  # refuses before anything is printed
    yield f"states {', '.join(neuron.states)}; constants {', '.join(neuron.constants) or 'none'}; p = dL/d(state)"
    yield "between events"
    for state, slope in zip(neuron.states, linear_neuron.adjoint_slope(n), strict=True):
        yield f"  dp_{state}/dt = {_short(slope)}"
    for name, theta in n.constants.items():
        if (gain := linear_neuron.gradient_between_events(n, theta)) != 0:
            yield f"  dL/d{name} gains the integral of {_short(gain)}"
    for state in n.arrivals:
        by_weight, by_time = linear_neuron.at_arrival(n, state)
        yield f"at an arrival of weight w at {state}; p just after it"
        yield f"  dL/dw gains {_short(by_weight)}"
        yield f"  dL/dt_arr = {_short(by_time)}, which dL/dd and dL/dt_pre gain"
    if any(n.c):
        yield "at an own spike; p just after it, states just before it"
        yield f"  q = {_short(linear_neuron.spike_shift(n))}"
        for state, before in zip(neuron.states, linear_neuron.before_spike(n, q), strict=True):
            yield f"  p_{state} before = {_short(before)}"
        for name, theta in n.constants.items():
            if (gain := linear_neuron.gradient_at_spike(n, theta, q)) != 0:
                yield f"  dL/d{name} gains {_short(gain)}"


class _Printer(StrPrinter):
    """Prints states and sensitivities, which are dummies, by their names alone."""

    def _print_Dummy(self, dummy: sp.Dummy) -> str:
        return str(dummy.name)


def _short(expression: sp.Expr) -> str:
    top, bottom = sp.fraction(expression)
    return _Printer().doprint(sp.expand(top) / sp.expand(bottom))


if __name__ == "__main__":
    run_and_exit(main)
