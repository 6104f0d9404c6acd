"""Certified set, average difficulty: layers, recurrence, many spikes, constants per neuron."""

from __future__ import annotations

from itertools import pairwise

from tests.support.certified.parts import Certified, Numbers
from tests.support.networks.documents import case, cross_entropy, li, lif, mse, wire


def _own_constants(draw: Numbers, size: int) -> dict:
    return {
        "tau_mem": draw.row(size, 12.0, 28.0),
        "tau_syn": draw.row(size, 3.0, 9.0),
        "threshold": draw.row(size, 0.7, 1.4),
        "reset": draw.row(size, -0.4, 0.3),
    }


def _layers() -> dict:
    draw = Numbers(100)
    return case(
        50.0,
        draw.trains([3, 2, 4, 2], 40.0),
        [lif("hid", 6), li("out", 3)],
        [
            wire("in", "hid", draw.matrix(4, 6, -2.0, 6.0), draw.matrix(4, 6, 0.0, 10.0)),
            wire("hid", "out", draw.matrix(6, 3, -1.0, 1.5), draw.matrix(6, 3, 0.0, 8.0)),
        ],
        cross_entropy("max_voltage", 1),
    )


def _four_layers() -> dict:
    draw = Numbers(200)
    layers = [("in", 3), ("one", 4), ("two", 4), ("three", 4), ("out", 2)]
    wires = [
        wire(source, target, draw.matrix(n, m, 1.0, 6.0), draw.matrix(n, m, 0.0, 4.0))
        for (source, n), (target, m) in pairwise(layers)
    ]
    populations = [lif(name, size, reset=-0.25) for name, size in layers[1:]]
    return case(60.0, draw.trains([2, 2, 1], 20.0), populations, wires, mse([15.0, 22.0], [18.0]))


def _heterogeneous() -> dict:
    draw = Numbers(300)
    return case(
        60.0,
        draw.trains([3, 3, 2], 45.0),
        [lif("hid", 5, **_own_constants(draw, 5)), li("out", 3, tau_mem=[15.0, 30.0, 9.0], tau_syn=[6.0, 40.0, 9.0])],
        [
            wire("in", "hid", draw.matrix(3, 5, -1.0, 8.0), draw.matrix(3, 5, 0.0, 9.0)),
            wire("hid", "out", draw.matrix(5, 3, -1.0, 2.0), draw.matrix(5, 3, 0.0, 9.0)),
        ],
        cross_entropy("mean_voltage", 2),
    )


def _recurrent() -> dict:
    draw = Numbers(400)
    return case(
        60.0,
        draw.trains([3, 3], 40.0),
        [lif("out", 5)],
        [
            wire("in", "out", draw.matrix(2, 5, 3.0, 9.0), draw.matrix(2, 5, 0.0, 6.0)),
            wire("out", "out", draw.matrix(5, 5, -2.0, 1.5, absent=6), draw.matrix(5, 5, 1.0, 14.0)),
        ],
        mse([5.0, 12.0], [8.0, 15.0], [9.0, 12.0, 20.0], [30.0], [6.0, 25.0]),
    )


def _recurrent_heterogeneous() -> dict:
    draw = Numbers(500)
    return case(
        70.0,
        draw.trains([3, 2, 3], 50.0),
        [lif("hid", 6, **_own_constants(draw, 6)), li("out", 2)],
        [
            wire("in", "hid", draw.matrix(3, 6, -1.0, 7.0), draw.matrix(3, 6, 0.0, 8.0)),
            wire("hid", "hid", draw.matrix(6, 6, -1.5, 1.0), draw.matrix(6, 6, 0.5, 12.0)),
            wire("hid", "out", draw.matrix(6, 2, -1.0, 1.5), draw.matrix(6, 2, 0.0, 8.0)),
        ],
        cross_entropy("exp_weighted_voltage"),
    )


def _feedback() -> dict:
    draw = Numbers(600)
    return case(
        60.0,
        draw.trains([2, 3], 30.0),
        [lif("hid", 4), lif("out", 3, reset=-0.3)],
        [
            wire("in", "hid", draw.matrix(2, 4, 3.0, 8.0), draw.matrix(2, 4, 0.0, 5.0)),
            wire("hid", "out", draw.matrix(4, 3, 1.0, 5.0), draw.matrix(4, 3, 0.0, 5.0)),
            wire("out", "hid", draw.matrix(3, 4, -2.5, 1.0, absent=5), draw.matrix(3, 4, 2.0, 9.0)),
        ],
        cross_entropy("first_spike_time", 2, time_scale=5.0),
    )


def _skip_and_parallel() -> dict:
    draw = Numbers(700)
    return case(
        45.0,
        draw.trains([3, 2, 2], 35.0),
        [lif("hid", 4), li("out", 3)],
        [
            wire("in", "hid", draw.matrix(3, 4, -1.0, 7.0), draw.matrix(3, 4, 0.0, 6.0)),
            wire("hid", "out", draw.matrix(4, 3, -1.0, 1.5, absent=4), draw.matrix(4, 3, 0.0, 6.0)),
            wire("hid", "out", draw.matrix(4, 3, -0.5, 0.8, absent=3), draw.matrix(4, 3, 6.0, 12.0)),
            wire("in", "out", draw.matrix(3, 3, -1.0, 1.0, absent=2), draw.matrix(3, 3, 0.0, 10.0)),
        ],
        cross_entropy("max_voltage", 2),
    )


def _dense() -> dict:
    draw = Numbers(800)
    return case(
        40.0,
        draw.trains([20, 20, 20], 30.0),
        [lif("hid", 3, reset=-0.5), li("out", 2)],
        [
            wire("in", "hid", draw.matrix(3, 3, 3.0, 6.0), draw.matrix(3, 3, 0.0, 5.0)),
            wire("hid", "out", draw.matrix(3, 2, -0.3, 0.4), draw.matrix(3, 2, 0.0, 5.0)),
        ],
        cross_entropy("mean_voltage", 1),
    )


def _under_way() -> dict:
    draw = Numbers(900)
    return case(
        80.0,
        draw.trains([8, 8], 40.0),
        [lif("hid", 4), lif("out", 2)],
        [
            wire("in", "hid", draw.matrix(2, 4, 1.0, 5.0), draw.matrix(2, 4, 10.0, 30.0)),
            wire("hid", "out", draw.matrix(4, 2, 1.0, 4.0), [[20.0, 12.0], [90.0, 3.5], [8.0, 100.0], [15.0, 6.0]]),
        ],
        mse([40.0, 50.0], [35.0]),
    )


def _equal_time_constants() -> dict:
    draw = Numbers(1000)
    taus = [10.0, 8.0, 12.5, 6.0]
    return case(
        50.0,
        draw.trains([3, 3], 30.0),
        [lif("hid", 4, tau_mem=taus, tau_syn=taus), lif("out", 2, tau_mem=9.0, tau_syn=9.0, threshold=0.5)],
        [
            wire("in", "hid", draw.matrix(2, 4, 2.0, 5.0), draw.matrix(2, 4, 0.0, 5.0)),
            wire("hid", "out", draw.matrix(4, 2, -0.3, 1.8), draw.matrix(4, 2, 0.0, 5.0)),
        ],
        cross_entropy("exp_weighted_voltage", 1),
    )


def _at_once() -> dict:
    draw = Numbers(1100)
    return case(
        50.0,
        [[2.0, 14.0]] * 4,
        [lif("hid", 4), lif("out", 2)],
        [
            wire("in", "hid", draw.matrix(4, 4, -1.0, 4.0), 1.5),
            wire("hid", "hid", draw.matrix(4, 4, -1.0, 0.5, absent=5), draw.matrix(4, 4, 1.0, 4.0)),
            wire("hid", "out", draw.matrix(4, 2, 1.0, 4.0), 0.0),
        ],
        mse([8.0, 12.0], [10.0]),
    )


NETWORKS: dict[str, Certified] = {
    "layers": Certified("4-6-3, the largest voltage", _layers()),
    "four-layers": Certified("3-4-4-4-2, spike times", _four_layers()),
    "heterogeneous": Certified("constants of each neuron, the mean voltage", _heterogeneous()),
    "recurrent": Certified("recurrent, with self-connections and absent synapses", _recurrent()),
    "recurrent-heterogeneous": Certified("recurrent, constants of each neuron", _recurrent_heterogeneous()),
    "feedback": Certified("a loop over two layers, first spikes", _feedback()),
    "skip-and-parallel": Certified("two connections between the same layers, one over a layer", _skip_and_parallel()),
    "dense": Certified("60 input spikes in 30 ms", _dense()),
    "under-way": Certified("many spikes under way in one synapse; delays beyond T", _under_way()),
    "equal-time-constants": Certified("tau_mem = tau_syn, another in each neuron", _equal_time_constants()),
    "at-once": Certified("all input spikes at the same two instants, arrivals in threes and fours", _at_once()),
}
