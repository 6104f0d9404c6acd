"""Grades several simulators and prints the grades as one JSON object.

    python examples/conformance/grades.py reference="python -m reference" NAME=COMMAND ... > FILE

Each argument is a name, `=`, and a command for `python -m spec.conformance`. With `--about` a
command describes itself: a JSON object with `system`, `version`, `settings`, `note`, and optionally
`kinds`, which names quantities (such as `w`) that are meant to be something else than the
derivative. The output depends on the answers and the date only; it does not contain the commands.
"""

import argparse
import datetime
import json
import shlex
import statistics
import subprocess
import sys
from importlib.metadata import version

import numpy as np

from delayprop.spec.conformance.cases import stored
from delayprop.spec.conformance.layout import QUANTITIES
from delayprop.spec.conformance.peers import of_command
from delayprop.spec.conformance.report import CaseReport, Report, Summary, graded

FORMAT = "conformance-grades/2"
CONSTANTS = ("tau_mem", "tau_syn", "v_th", "v_reset")
GROUPS = {**{name: (name,) for name in QUANTITIES}, "constants": CONSTANTS}
SHOWN = ("spikes", "loss", "w", "d", "constants")
COSINES = ("w", "d")
OWN = {
    "-m reference": ("delayprop, reference", "float64, event by event", "One heap, one event at a time, in Python."),
    "-m fast.run": ("delayprop, fast", "event by event", "The kernels that training uses."),
    "plain_peer.py": (
        "plain Python",
        "float64, event by event; tests/support/peers/plain_peer.py",
        "A hundred lines without NumPy that do one layer and squared errors of spike times: a partial answer.",
    ),
}
"""Descriptions of our own commands, which have no `--about`, by a part of the command."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Grade several simulators; JSON on standard output.")
    parser.add_argument("systems", nargs="+", metavar="NAME=COMMAND")
    parser.add_argument("--timeout", type=float, default=600.0, metavar="S", help="per case (default: %(default)g)")
    options = parser.parse_args()
    pairs = [argument.partition("=") for argument in options.systems]
    names = [name for name, _, _ in pairs]
    if not all(name and command.strip() for name, _, command in pairs) or len(set(names)) < len(names):
        parser.error("each argument must be NAME=COMMAND, with different names")
    systems = []
    for name, _, command in pairs:
        print(f"{name} ...", file=sys.stderr)
        what = about(shlex.split(command))
        report = graded(of_command(shlex.split(command), options.timeout), name, stored(), 1.0)
        systems.append({"name": name, **what, **measured(report)})
    head = json.dumps({"format": FORMAT, "date": datetime.date.today().isoformat()})
    lines = ",\n".join(json.dumps(one, allow_nan=False) for one in systems)  # a line a system
    print(f'{head[:-1]}, "systems": [\n{lines}\n]}}')
    return 0


def about(command: list[str]) -> dict[str, object]:
    """The description of a command: its own, or an entry of `OWN`.

    Raises:
        SystemExit: the command does not describe itself.
    """
    line = shlex.join(command)
    for part, (system, settings, note) in OWN.items():
        if part in line:
            if part == "-m fast.run":
                single = "float32" in line
                settings = f"{'float32' if single else 'float64'}, {settings}"
                note += " The limit of its digits is that of float32." if single else ""
            own = {"system": system, "version": version("delayprop")}
            return {**own, "settings": settings, "note": note, "kinds": {}}
    done = subprocess.run([*command, "--about"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"`{line} --about` must print a JSON object, ended with {done.returncode}")
    found = json.loads(done.stdout)
    said = {key: str(found[key]) for key in ("system", "version", "settings", "note")}
    return {**said, "kinds": found.get("kinds", {})}


def measured(report: Report) -> dict:
    """The content of the report, without times."""
    states = {state: [case for case in report.cases if case.state == state] for state in ("not offered", "failed")}
    return {
        "cases": {
            "all": len(report.cases),
            "answered": sum(case.state == "answered" for case in report.cases),
            **{state.replace(" ", "_"): {case.name: case.reason for case in some} for state, some in states.items()},
        },
        "quantities": by_group(report, None, tuple(GROUPS)),
        "capabilities": {
            name: {**summary(report.summary(capability=name)), "quantities": by_group(report, name, SHOWN)}
            for name in dict.fromkeys(need for case in report.cases for need in case.needs)
        },
    }


def by_group(report: Report, capability: str | None, names: tuple[str, ...]) -> dict:
    """The summary of each group of quantities that some case has."""
    cases = [case for case in report.cases if capability in (None, *case.needs)]
    found = {}
    for name in names:
        one = report.summary(GROUPS[name], capability)
        if one.cases:
            found[name] = {**summary(one), **spread(cases, GROUPS[name])}
            if name in COSINES:
                found[name]["cosine"] = direction(cases, name)
    return found


def summary(found: Summary) -> dict:
    """Grade, right digits of the worst block, and the numbers of cases."""
    return {**vars(found), "digits": rounded(found.digits)}


def spread(cases: list[CaseReport], members: tuple[str, ...]) -> dict:
    """Digits of each case's worst block: median, worst case, numbers graded and below 1."""
    digits = {case.name: [b.digits for b in case.of(*members) if b.digits is not None] for case in cases}
    worst = {name: min(own) for name, own in digits.items() if own}
    return {
        "median": rounded(statistics.median(worst.values())) if worst else None,
        "worst_case": min(worst, key=lambda name: worst[name], default=None),
        "graded": len(worst),
        "below": sum(least < 1 for least in worst.values()),
    }


def direction(cases: list[CaseReport], quantity: str) -> float | None:
    """Median over cases of the cosine between the gradient found and the right one.

    A surrogate may have the right direction without a right digit. Gradients of other networks
    count too; the cosine of a zero gradient is 0.
    """
    cosines = []
    for case in cases:
        pairs = [(b.found, b.true) for b in case.of(quantity) if b.found is not None and b.found.shape == b.true.shape]
        found, true = (np.concatenate([np.empty(0), *(pair[side].ravel() for pair in pairs)]) for side in (0, 1))
        size = float(np.linalg.norm(found) * np.linalg.norm(true))
        if true.any():
            cosines.append(float(found @ true) / size if size else 0.0)
    return rounded(statistics.median(cosines)) if cosines else None


def rounded(number: float | None) -> float | None:
    """Rounded to two decimals, which hides the last bits of a sum."""
    return None if number is None else round(number, 2)


if __name__ == "__main__":
    sys.exit(main())
