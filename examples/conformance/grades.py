"""Grades several simulators, and prints their rows of the table in `README.md`.

    python examples/conformance/grades.py reference="python -m reference" NAME=COMMAND ...

Each argument is a name, `=`, and a command for `python -m spec.conformance`.
"""

import argparse
import shlex
import statistics
import sys

import numpy as np

from delayprop.spec.conformance.cases import stored
from delayprop.spec.conformance.peers import of_command
from delayprop.spec.conformance.report import Report, graded

COLUMNS = (("spikes",), ("loss",), ("w",), ("d",), ("tau_mem", "tau_syn", "v_th", "v_reset"))


def main() -> int:
    parser = argparse.ArgumentParser(description="Grade several simulators; a row of a table for each.")
    parser.add_argument("systems", nargs="+", metavar="NAME=COMMAND")
    parser.add_argument("--timeout", type=float, default=600.0, metavar="S", help="per case (default: %(default)g)")
    options = parser.parse_args()
    pairs = [argument.partition("=") for argument in options.systems]
    if not all(name and command.strip() for name, _, command in pairs):
        parser.error("each argument must be NAME=COMMAND")
    for name, _, command in pairs:
        print(row(graded(of_command(shlex.split(command), options.timeout), name, stored(), 1.0)), flush=True)
    return 0


def row(report: Report) -> str:
    """The row of a simulator: answered cases, a cell per quantity, two cosines."""
    answered = sum(case.state == "answered" for case in report.cases)
    cells = [f"{answered} of {len(report.cases)}", *(cell(report, members) for members in COLUMNS)]
    return f"| {' | '.join([report.name, *cells, cosine(report, 'w'), cosine(report, 'd')])} |"


def cell(report: Report, members: tuple[str, ...]) -> str:
    """Some quantities: right digits of the worst block of all cases, and of the median case."""
    found = report.summary(members)
    if not found.offered:
        return "-"
    digits = [[block.digits for block in case.of(*members) if block.digits is not None] for case in report.cases]
    worst = [min(own) for own in digits if own]
    words = [f"{min(worst):.1f} ({statistics.median(worst):.1f})"] if worst else []
    if found.offered < found.cases:
        words.append(f"in {found.offered} of {found.cases}")
    if found.another_network:
        words.append(f"{found.another_network} of another network")
    if found.failed:
        words.append(f"{found.failed} failed")
    return ", ".join(words)


def cosine(report: Report, quantity: str) -> str:
    """Median over cases of the cosine between the gradient found and the right one.

    A surrogate may have the right direction without a right digit. Gradients of other networks
    count too; the cosine of a zero gradient is 0.
    """
    cosines = []
    for case in report.cases:
        pairs = [(b.found, b.true) for b in case.of(quantity) if b.found is not None and b.found.shape == b.true.shape]
        found, true = (np.concatenate([np.empty(0), *(pair[side].ravel() for pair in pairs)]) for side in (0, 1))
        size = float(np.linalg.norm(found) * np.linalg.norm(true))
        if true.any():
            cosines.append(float(found @ true) / size if size else 0.0)
    return f"{statistics.median(cosines):.2f}" if cosines else "-"


if __name__ == "__main__":
    sys.exit(main())
