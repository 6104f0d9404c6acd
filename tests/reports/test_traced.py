"""The curves of the report's first figure: ends meet, and arrivals add up to the gradient."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from tests.support.report_evidence import Measured
from tests.support.runs.traced import small, small_figure, traced
from tests.support.tolerances import WELL_CONDITIONED
from tests.support.truth import gradient


def summed(curves: list[dict[str, Any]], kind: str) -> list[float]:
    """The gradients at the arrivals, summed per synapse, in the order of sources."""
    found: dict[tuple[str, int, str], float] = {}
    for neuron in curves:
        for event in neuron["events"]:
            if event["kind"] == "arrival":
                key = (neuron["population"], event["index"], event["source"])
                found[key] = found.get(key, 0.0) + event[f"dL_d{kind}"]
    return [found[key] for key in sorted(found)]


@pytest.mark.check(8)
def test_the_arrivals_add_up_to_the_gradient(measured: Measured) -> None:
    case, curves = small(), traced(small())
    assert [len(neuron["spikes"]) for neuron in curves] == [2, 3]
    true = gradient(case).connections
    worst = 0.0
    for kind in ("w", "d"):
        expected = np.concatenate([np.array(getattr(c, f"dL_d{kind}"), dtype=float).ravel() for c in true])
        found, other = (np.array(summed(curves, one)) for one in (kind, "d" if kind == "w" else "w"))
        assert np.linalg.norm(other - expected) > 0.1 * np.linalg.norm(expected), "control: the other gradient"
        worst = max(worst, float(np.linalg.norm(found - expected) / np.linalg.norm(expected)))
    measured(worst, WELL_CONDITIONED, 1)
    measured.keep("adjoint", small_figure())
    assert worst <= WELL_CONDITIONED


def test_curves_are_continuous_but_at_their_events() -> None:
    for neuron in traced(small()):
        events = {event["t"] for event in neuron["events"]}
        for name in ("forwards", "backwards"):
            for (t, *state), (later, *after) in pairwise(neuron[name]):
                assert later >= t
                if t == later and t not in events:
                    assert state == pytest.approx(after)
