"""`python -m tests.tools.make_conformance`: write `spec/conformance/cases/*.json`.

The cases are those of `conformance_documents`, with results of the ground truth: 50 digits,
gradients by central differences, rounded to float64. No case is at or near a tie, so every right
implementation in float64 has equal spikes.
"""

import json

import mpmath
import numpy as np

from delayprop.spec import Result, case_from_text
from tests import ROOT
from tests.support.comparison import changed
from tests.support.peers.conformance_documents import DOCUMENTS
from tests.support.truth import Problem, gradient, simulate

FOLDER = ROOT / "spec" / "conformance" / "cases"
SMALLEST = mpmath.mpf("1e-27")  # smaller differences are 0: some 30 digits are right


def with_results(document: dict) -> str:
    """The text of the file, one line per key: the case, with the ground truth as `expected`."""
    case = case_from_text(json.dumps(document))
    truth, true = simulate(Problem.from_case(case)), gradient(case)
    assert truth.margin > 1e-4 and (truth.kappa_min is None or truth.kappa_min > 1e-3), "too near a tie"
    cleaned = changed(true, lambda _, values: np.where(abs(values) > SMALLEST, values, 0.0))
    result = Result(truth.loss, truth.spikes, truth.kappa, truth.readout, cleaned, ())
    lines = {**document, "expected": result.to_dict(case.network)}
    return "{\n" + ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in lines.items()) + "\n}\n"


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, document in DOCUMENTS.items():
        (FOLDER / f"{name}.json").write_text(with_results(document), encoding="utf-8")


if __name__ == "__main__":
    main()
