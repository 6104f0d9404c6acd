"""The conformance set: stored results are the ground truth, in the implementations' layout."""

import json
from pathlib import Path

import pytest

from delayprop.spec import READOUTS, load_case
from delayprop.spec.conformance.cases import CAPABILITIES, needs, stored
from tests.support.commands import skeleton
from tests.support.implementations import Run, every_run
from tests.support.tolerances import WELL_CONDITIONED
from tests.tools.make_conformance import FILES, with_results

NEEDS = {one.name: set(needs(one)) for one in stored()}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_stored_result_is_the_ground_truth(file: Path) -> None:
    """They agree bit for bit: the simulation rounds alike on every machine."""
    text = file.read_text(encoding="utf-8")
    assert text == with_results(text)


@every_run
def test_implementations_have_the_layout_of_the_set(run: Run) -> None:
    """Keys in order, lengths and nulls; also `kappa_min` and ties, which the kit does not grade."""
    for file in FILES:
        case = load_case(file)
        found, expected = run(case).to_dict(case.network), case.expected
        assert expected is not None
        assert json.dumps(skeleton(found)) == json.dumps(skeleton(expected)), file.stem
        assert found["ties"] == expected["ties"]
        assert (found["kappa_min"] or 0.0) == pytest.approx(expected["kappa_min"] or 0.0, rel=WELL_CONDITIONED)


def test_the_set_needs_every_capability_and_reads_every_readout() -> None:
    assert sorted(NEEDS) == sorted(file.stem for file in FILES) and len(FILES) == 24
    assert all(one.case.expected is None and "expected" not in one.question for one in stored()), "no answers in it"
    assert set.union(*NEEDS.values()) == set(CAPABILITIES)
    losses = [one.case.loss for one in stored()]
    assert {one.reads.name if one.reads else one.kind for one in losses} == {*READOUTS, "spike_time_mse"}
    assert NEEDS["one-neuron"] == {
        "one layer", "feed-forward", "one pair of time constants", "delays off the grid", "spike_time_mse",
        "spikes beyond the targets",
    }
    assert {"recurrent", "absent synapses"} <= NEEDS["recurrent-self-connection"]
    assert {"skip connections", "parallel connections"} <= NEEDS["skip-and-parallel"]
    assert "events after the end" in NEEDS["after-the-end"] and "no delays" in NEEDS["hidden-layer-no-delays"]
    assert NEEDS["silent-network"] == {
        "one layer", "feed-forward", "spike_time_mse", "missing spikes", "silent neurons", "silent network"
    }, "gradients of 0 test neither delays nor constants"


def test_a_limited_simulator_finds_cases_that_it_can_do() -> None:
    """Networks with one pair of constants, and no special structure, have all delays and losses."""
    special = ("recurrent", "several", "absent", "parallel", "skip", "tau_mem", "other than", "silent", "after the end")
    plain = [own for own in NEEDS.values() if not any(word in need for need in own for word in special)]
    for delays in ("no delays", "delays in whole ms", "delays off the grid"):
        for layers in ("one layer", "hidden layers"):
            assert any({delays, layers} <= need for need in plain), (delays, layers)
    for loss in ("max_voltage", "mean_voltage", "first_spike_time", "spike_time_mse"):
        assert any({loss, "delays in whole ms"} <= need for need in plain), loss
