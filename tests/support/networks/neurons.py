"""Random networks of any neuron: three inputs, three hidden neurons, two outputs."""

from dataclasses import replace

import numpy as np
import pytest

from delayprop.spec import (
    NEURONS,
    Case,
    Connection,
    CrossEntropy,
    Loss,
    Network,
    Neuron,
    Population,
    SpikeTimeMSE,
    SpikeTrains,
    VoltageMSE,
)

RANGES = {
    "tau_mem": (8, 25), "tau_syn": (3, 9), "tau_rise": (1.5, 6), "tau_a": (10, 60), "tau_exc": (2, 6),
    "tau_inh": (5, 12), "v_th": (0.8, 1.2), "v_reset": (-0.3, 0.2), "b": (0.1, 0.5), "g": (0.2, 6), "beta": (0.1, 0.4),
    "tau_c": (20, 90), "k": (0.1, 0.4),
}
TWO_ADAPTATIONS = Neuron(
    {"V": "(-V + I - a - c) / tau_mem", "I": "-I / tau_syn", "a": "(-a + k * c) / tau_a", "c": "-c / tau_c"},
    spike="V - v_th - 0.2 * a - 0.1 * c", reset={"V": "v_reset", "a": "a + b", "c": "c + b + k * a"},
)
"""In no list: two adaptation currents, of which one drives the other; a spike mixes them, and the
threshold reads both."""
TURNING = Neuron(
    {"V": "(-V + I - J) / tau_mem", "I": "(-I + 8 * J) / tau_syn", "J": "-J / tau_rise"}, arrivals=("J",)
)
"""In no list: an arrival lowers the level and then raises it, so that it turns within a bin."""
MIXED = Neuron(
    {
        "V": "(-V + E + G - a) / tau_mem", "a": "(-a + 0.2 * g * V) / tau_a", "E": "(-E + 0.5 * G) / tau_exc",
        "G": "-G / tau_inh",
    },
    arrivals=("E", "G"), spike="2 * V - 0.4 * a - 2 * v_th", reset={"V": "v_reset", "a": "a + b + 0.3 * V"},
)
"""In no list: two currents, of which one drives the other, an adaptation that the voltage and own
spikes drive, and a level in another unit than the voltage."""
ADAPTING = Neuron(
    {"V": "(-V + E - a + G) / tau_mem", "E": "-E / tau_exc", "a": "-a / tau_a", "G": "-G / tau_inh"},
    arrivals=("E", "G"), spike="V - v_th", reset={"V": "v_reset", "a": "a + b"},
)
"""In no list: two currents, and between them an adaptation."""
THREE = Neuron(
    {"V": "(-V + E + G + S) / tau_mem", "E": "-E / tau_exc", "G": "-G / tau_inh", "S": "-S / tau_syn"},
    arrivals=("E", "G", "S"), spike="V - v_th", reset={"V": "v_reset"},
)
"""In no list: three currents."""
ALL = {
    **NEURONS, "two-adaptations": TWO_ADAPTATIONS, "turning": TURNING, "mixed": MIXED, "adapting": ADAPTING,
    "three": THREE,
}
FAST = ("lif", "alif", "adlif", "rise", "two-synapses", "turning", "coupled", "two-adaptations", "mixed", "adapting")
"""Those that spike and that `fast` runs; "three" in Python alone, since compiling takes long."""
OFTEN_TESTED = ("alif", "two-synapses", "mixed")
"""One of each kind of kernels: states that own spikes change, several currents, and arrivals that
reach further states; the others are tested for a release."""
MARKS = pytest.mark.release, pytest.mark.full
EACH_OF_FAST = pytest.mark.parametrize(
    "name", [name if name == "lif" else pytest.param(name, marks=MARKS[name in OFTEN_TESTED]) for name in FAST],
    scope="module",
)
"""A test of each. Kernels differ by the numbers of states and of constants in the rates, and take a
minute to compile: without the tests that are `full`, all but LIF agree in Python alone. Tests of
one neuron follow each other (`scope`), so that two processes seldom compile the same kernels."""
STRENGTH = {"rise": 1.6, "turning": 0.2, "mixed": 2.0, "adapting": 2.0, "three": 6.0}  # of the weights
OFTEN = 3.0  # how many times smaller second arrivals are, which inhibit
READOUTS = ("spike_time_mse", "first_spike_time", "max_voltage", "mean_voltage", "samples", "exp_weighted_voltage")


def readouts(name: str) -> tuple[str, ...]:
    """The readouts that the specification allows."""
    neuron = ALL[name]
    allowed = READOUTS if neuron.spike is not None else READOUTS[2:]
    return tuple(one for one in allowed if one != "max_voltage" or len(neuron.level) < 2)


def network(name: str, seed: int, readout: str, recurrent: bool | None = None) -> Case:
    """Neurons of one kind (LIF before outputs `li`); every second seed has recurrent synapses."""
    rng = np.random.default_rng([seed, list(ALL).index(name)])
    hidden = name if ALL[name].spike is not None else "lif"
    populations = [Population("in", "input", 3), _population("hid", 3, hidden, rng), _population("out", 2, name, rng)]
    connections = [*_onto("in", "hid", (3, 3), hidden, 1.0, rng), *_onto("hid", "out", (3, 2), name, 1.0, rng)]
    if seed % 2 if recurrent is None else recurrent:
        connections += _onto("hid", "hid", (3, 3), hidden, 0.4, rng)
    inputs = {"in": SpikeTrains(tuple(np.sort(rng.uniform(0, 25, 3)) for _ in range(3)))}
    loss: Loss
    if readout == "spike_time_mse":
        loss = SpikeTimeMSE("out", SpikeTrains((np.array([10.0, 20.0]), np.array([15.0]))))
    elif readout == "samples":
        loss = VoltageMSE("out", (np.arange(4) + rng.uniform(size=4)) * 45 / 4, rng.normal(size=(2, 4)))
    else:
        loss = CrossEntropy(readout, "out", 0, 5.0 if readout == "first_spike_time" else None)
    return Case(Network(tuple(populations), tuple(connections)), 45.0, inputs, loss)


def _population(name: str, size: int, neuron: str, rng: np.random.Generator) -> Population:
    constants = {constant: rng.uniform(*RANGES[constant], size) for constant in ALL[neuron].constants}
    return Population(name, "neuron", size, neuron=ALL[neuron], constants=constants)


def _onto(
    source: str, target: str, shape: tuple[int, int], neuron: str, scale: float, rng: np.random.Generator
) -> list[Connection]:
    """A connection onto each state at which spikes arrive; of two, the second one inhibits."""
    w = rng.normal(2.0, 1.6, shape) * scale * STRENGTH.get(neuron, 1.0)
    first, *second = ALL[neuron].arrivals
    weights = {first: abs(w) if second else w, **{state: -abs(w) / OFTEN for state in second}}
    return [Connection(source, target, w, rng.uniform(0.2, 8.0, shape), into=into) for into, w in weights.items()]


def with_short_loops(case: Case, delay: float = 0.01) -> Case:
    """The case with loops that excite, where spikes arrive in the bin in which they are emitted."""
    loops = {c: replace(c, w=abs(c.w), d=np.full(c.d.shape, delay)) for c in case.network.connections
             if c.source == c.target}
    connections = tuple(loops.get(c, c) for c in case.network.connections)
    return replace(case, network=Network(case.network.populations, connections))


def exciting(case: Case, scale: float) -> Case:
    """The case with the sizes of all weights, scaled: every current excites."""
    connections = tuple(replace(c, w=abs(c.w) * scale) for c in case.network.connections)
    return replace(case, network=Network(case.network.populations, connections))


def as_equations(case: Case) -> Case:
    """The case with `lif` and `li` given by their equations."""
    populations = tuple(
        p if p.kind == "input" else Population(p.name, "neuron", p.size, neuron=p.equations, constants=p.values)
        for p in case.network.populations
    )
    return replace(case, network=Network(populations, case.network.connections))
