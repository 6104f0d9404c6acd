"""The evidence of the checks of planted faults, gathered with nothing planted."""

import json
import pickle
from collections.abc import Callable

import delayprop.reference as reference
from delayprop.fast.run import run_case
from delayprop.spec import Case, Network, Population, Result, case_to_dict
from tests.support.networks.documents import (
    cross_entropy,
    crossing_at_the_end_of_a_bin,
    li,
    lif,
    one_neuron,
    ties,
    wire,
)
from tests.support.networks.documents import read as read_case
from tests.support.networks.neurons import exciting, network, with_short_loops
from tests.support.networks.strategies import families, seeded_case
from tests.support.truth import truth_of

OWN = [[0.3, 1.2], [1.1, 0.2]], [[1.1, 0.06], [0.78, 3.1]]
MORE = [[0.1, -0.2], [0.2, 0.1]], [[2.3, 1.7], [0.9, 4.1]]
"""Weights and delays of recurrent synapses; many arrivals share the bin of another spike."""

LOSSES: list[tuple[str, dict]] = [
    ("lif", {"kind": "spike_time_mse", "targets": [[9.0, 12.0], [8.0, 12.0, 15.0]]}),
    ("lif", {"kind": "cross_entropy", "readout": "first_spike_time", "label": 1, "time_scale": 3.0}),
    ("li", cross_entropy("max_voltage")),
]


def problem(
    kind: str, loss: dict, duration: float = 30.0, recurrent: bool = False, read: str = "out",
    threshold: tuple[float, float] = (1.0, 0.8),
) -> Case:
    """A tiny network: several spikes per neuron, inhibition, resets not 0, fractional delays."""
    hidden = lif("hidden", 2, tau_mem=[9.0, 11.0], tau_syn=[4.0, 5.0], threshold=[*threshold], reset=[-0.3, 0.2])
    out = lif("out", 2, threshold=[1.2, 1.0], reset=[0.1, -0.4]) if kind == "lif" else li("out", 2)
    out |= {"tau_mem": [12.0, 10.0], "tau_syn": [5.0, 6.0]}
    wires = [
        wire("in", "hidden", [[4.0, 2.1], [1.7, 3.6], [-1.2, 2.4]], [[0.6, 2.3], [1.7, 0.9], [3.2, 1.4]]),
        wire("hidden", "out", [[2.4, 1.3], [1.1, 1.6]], [[1.3, 2.8], [4.6, 0.7]]),
        *(wire("hidden", "hidden", *own) for own in (OWN, MORE) if recurrent),
    ]
    inputs = [[0.7, 4.1, 9.3], [1.9, 6.4], [3.3]]
    return read_case(duration, inputs, [hidden, out], wires, {**loss, "population": read})


SCALED = {"rates": {"V": "(-V + I - a) / 11", "I": "-I / tau_syn", "a": "(-a + g * V) / 23"},
          "spike": "k * V - v_th", "reset": {"V": "v_reset + 0.1 * a", "a": "a + b * V"}}
"""A neuron whose level is a multiple of the voltage, and whose reset mixes states."""


def of_neurons() -> list[Case]:
    """Networks of neurons given by equations, for the tangent of the reference."""
    own = Population("out", "neuron", 2, neuron=SCALED, constants={
        "tau_syn": [5.0, 4.0], "g": 0.8, "k": [1.5, 0.7], "v_th": 1.1, "v_reset": -0.2, "b": 0.3,
    })
    case = network("adlif", 1, "max_voltage")
    scaled = Network((*case.network.populations[:2], own), case.network.connections)
    return [network("alif", 0, "mean_voltage"), network("two-synapses", 1, "spike_time_mse"),
            Case(scaled, case.duration, case.inputs, case.loss)]


def of_fast() -> list[Case]:
    """Networks of neurons with other states than `V` and `I`, which both sides run."""
    return [network("alif", 1, "first_spike_time"), network("two-adaptations", 0, "spike_time_mse"),
            network("two-adaptations", 1, "first_spike_time"), network("two-synapses", 1, "first_spike_time"),
            network("three", 1, "first_spike_time"),
            network("coupled", 0, "spike_time_mse"), network("coupled", 6, "spike_time_mse"),
            network("mixed", 1, "first_spike_time"), network("mixed", 1, "spike_time_mse"),
            with_short_loops(network("mixed", 1, "first_spike_time"), 0.3),
            with_short_loops(network("two-synapses", 3, "first_spike_time"), 0.3),
            exciting(network("three", 2, "first_spike_time"), 0.25)]


def one_silent(*loops: dict) -> Case:
    """A neuron that spikes, beside one whose maximum is pinned later by a spike from before."""
    out = lif("out", 2, threshold=[1.0, 80.0])
    wires = [wire("in", "out", [[16.0, 3.0], [None, -30.0]], [[1.25, 4.0], [None, 11.25]]), *loops]
    return read_case(16.0, [[0.5], [0.75]], [out], wires, cross_entropy("max_voltage", 1))


def wide() -> Case:
    """More neurons than lie side by side, and one spike that arrives."""
    wires = [wire("in", "out", [[2.0 + 0.125 * n for n in range(33)]], 0.25)]
    return read_case(2.5, [[0.375]], [li("out", 33)], wires, cross_entropy("exp_weighted_voltage"))


def wide_spiking() -> Case:
    """The same of neurons that spike."""
    wires = [wire("in", "out", [[13.0 + 0.0625 * n for n in range(33)]], 0.25)]
    targets = {"kind": "spike_time_mse", "population": "out", "targets": [[2.0]] * 33}
    return read_case(3.5, [[0.375]], [lif("out", 33)], wires, targets)


def three_outputs() -> Case:
    """Three largest voltages, with other arrivals in their bins."""
    w, d = [[1.63, -0.38, -1.09], [-2.71, 0.38, 2.3]], [[3.1, 2.92, 1.98], [2.38, 3.04, 0.44]]
    inputs = [[3.43, 5.76, 7.25, 9.16, 9.21, 10.38, 13.61], [0.72, 4.39, 6.07, 6.64, 7.85, 9.46, 12.52]]
    return read_case(32.0, inputs, [li("out", 3)], [wire("in", "out", w, d)], cross_entropy("max_voltage"))


def many_copies() -> Case:
    """Neurons that spike together, and again where the 17 arrivals of each first spike are."""
    hidden = lif("hidden", 4, reset=-1.0)
    loops = [wire("hidden", "hidden", [[0.01 + 0.001 * n] * 4] * 4, 3.4 + 0.01 * n) for n in range(17)]
    wires = [wire("in", "hidden", [[13.0, 13.2, 13.4, 13.6]], 0.5), *loops]
    targets = {"kind": "spike_time_mse", "population": "hidden", "targets": [[2.0, 5.0]] * 4}
    return read_case(9.0, [[0.25, 4.25]], [hidden], wires, targets)


def others() -> list[Case]:
    """Further cases; each finds mutants that the problems miss."""
    maximum, mean = LOSSES[2][1], cross_entropy("mean_voltage")
    pinned = [(1.0, 2.0), (6.5, -8.0), (6.75, -9.0), (6.96875, -9.0)]  # the second in the last bin, the last after T
    return [
        problem("li", mean, 17.8),  # the last bin has arrivals at the output
        problem("li", maximum, recurrent=True, read="hidden", threshold=(80.0, 80.0)),
        problem("li", mean, 12.0, recurrent=True, read="hidden"),
        one_silent(), one_silent(wire("out", "out", [[0.2, 0.1], [0.3, 0.1]], [[2.3, 1.7], [0.9, 4.1]])),
        one_neuron("li", pinned, 6.9375), one_neuron("li", pinned[:3], 9.0), wide(), wide_spiking(), three_outputs(),
        many_copies(), crossing_at_the_end_of_a_bin(),
    ]


def gather(more: bool = False) -> bytes:
    """The evidence, pickled: its classes are those of the packages under test. `more` adds ties,
    and a network of each family. `batches` are of `wrong_batch`."""
    both: dict[str, Callable[[Case], Result]] = {"reference": reference.run, "fast": run_case}

    def entry(case: Case, **runs: Callable[[Case], Result]) -> tuple[str, dict[str, Result]]:
        return text(case), {name: run(case) for name, run in runs.items()}

    cases = [*(problem(*loss) for loss in LOSSES), problem(*LOSSES[0], recurrent=True)]
    problems = [entry(case, **both, truth=truth_of) for case in cases]
    assert min(len(train) for _, results in problems for train in results["truth"].spikes["hidden"]) >= 2
    further = [*ties().values(), *(seeded_case(3, family) for family in families())] if more else []
    batches = *(problem(*loss) for loss in LOSSES), problem(*LOSSES[0], 12.0, recurrent=True), wide(), wide_spiking()
    return pickle.dumps({
        "problems": problems, "others": [entry(case, **both) for case in others() + further],
        "batches": [text(case) for case in batches], "neurons": [text(case) for case in of_neurons()],
        "neurons of fast": [entry(case, reference=reference.run) for case in of_fast()],  # `fast` alone meets them
    })


def text(case: Case) -> str:
    return json.dumps(case_to_dict(case))
