"""Faults planted in the fast implementation are named from what the reference gave: it shares nothing with that."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.faults.catalogue import FAULTS
from tests.support.faults.planting import plant, results
from tests.support.peers.reports import graded, near

IN_FAST = {
    "flipped sign of the delay gradient": "",
    "same slope before and after the reset": "",
    "delay cut to whole ms": "",
    "no jump at the first spike": "there it is the first spike of a layer, not of each neuron",
    "no tau_syn in the weight gradient": "there tau_syn counts in bins, so what is left out is another number",
    "adjoint looked up at t, not at t + d": "there it is read from a ring that no longer holds it",
    "1e-3 added to a denominator": "there the slope is one a bin, so 1e-3 is another share of it",
    "0.1 % error": "there it is in what a spike sends back, but not in the delays",
    "no jump at the last spike": "there it is the last spike of a layer, not of each neuron",
    "lambda_V left out of the delay gradient": "",
    "reset gradient from the wrong side of the spike": "",
    "flipped sign of the threshold gradient": "",
    "flipped sign of the gradient by tau_syn": "there it is in the integral readouts too",
}
"""The faults of the fast implementation, and why some are not the same fault."""


@pytest.mark.full
@pytest.mark.parametrize("name", IN_FAST)
def test_a_fault_of_another_implementation_is_named_if_it_is_the_same(name: str, tmp_path: Path) -> None:
    """The file comes from the reference; the fast implementation shares nothing with it."""
    (fault,) = (fault for fault in FAULTS if (fault.package, fault.name) == ("fast", name))
    folder = plant(fault, "fast", tmp_path)
    found = near(graded(results("fast", folder)))
    assert found.clear == (not IN_FAST[name])
    assert found.name == name or not found.clear


def test_no_fault_of_the_fast_implementation_is_left_out() -> None:
    assert sorted(IN_FAST) == sorted(fault.name for fault in FAULTS if fault.package == "fast")
