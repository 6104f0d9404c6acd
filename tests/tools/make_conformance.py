"""`python -m tests.tools.make_conformance`: write the results into `spec/conformance/cases/*.json`.

They are those of the ground truth: 50 digits, gradients by central differences, rounded to float64.
A new case is a file without `expected`, with one subject. The simplest (one layer, one pair of time
constants, delays of 0 or whole ms) are for simulators that can do no more. No case is at or near a
tie, so every right implementation in float64 has equal spikes.
"""

import json

import mpmath
import numpy as np

from delayprop.spec import Result, case_from_text
from tests import ROOT
from tests.support.comparison import changed
from tests.support.truth import Problem, gradient, simulate

FILES = sorted((ROOT / "spec" / "conformance" / "cases").glob("*.json"))
SMALLEST = mpmath.mpf("1e-27")  # smaller differences are 0: some 30 digits are right


def with_results(text: str) -> str:
    """The text of a case, one line per key, with the ground truth as `expected`."""
    document = json.loads(text)
    document.pop("expected", None)
    case = case_from_text(json.dumps(document))
    truth, true = simulate(Problem.from_case(case)), gradient(case)
    assert truth.margin > 1e-4 and (truth.kappa_min is None or truth.kappa_min > 1e-3), "too near a tie"
    cleaned = changed(true, lambda _, values: np.where(abs(values) > SMALLEST, values, 0.0))
    result = Result(truth.loss, truth.spikes, truth.kappa, truth.readout, cleaned, ())
    lines = {**document, "expected": result.to_dict(case.network)}
    return "{\n" + ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in lines.items()) + "\n}\n"


if __name__ == "__main__":
    for file in FILES:
        file.write_text(with_results(file.read_text(encoding="utf-8")), encoding="utf-8")
