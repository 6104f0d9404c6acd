"""Certified set, lower difficulty: few neurons; each network is about one rule."""

from __future__ import annotations

from tests.support.certified.parts import Certified
from tests.support.networks.documents import case, cross_entropy, li, lif, mse, wire

_TRAINS = [[0.5, 7.25, 18.0], [3.0, 11.5]]

NETWORKS: dict[str, Certified] = {
    "one-neuron": Certified(
        "one neuron, two input spikes",
        case(50.0, [[1.0, 4.0]], [lif("out", 1)], [wire("in", "out", [[14.0]], 2.5)], mse([5.0, 9.0, 14.0])),
    ),
    "last-spikes-do-nothing": Certified(
        "spikes after which nothing matters: free ones at the output, one whose arrivals come after T",
        case(
            30.0,
            [[1.0, 16.5]],
            [lif("hid", 1, reset=-0.2), lif("out", 1, reset=0.1)],
            [wire("in", "hid", [[9.0]], [[1.5]]), wire("hid", "out", [[10.0]], [[9.25]])],
            mse([14.0]),
        ),
    ),
    "missing-spikes": Certified(
        "more targets than spikes; a neuron that stays silent",
        case(
            40.0,
            _TRAINS,
            [lif("out", 3, reset=-0.5)],
            [wire("in", "out", [[12.0, 4.0, 1.0], [9.0, 4.5, -2.0]], 1.25)],
            mse([3.0, 8.0], [10.0, 20.0, 25.0, 30.0], [12.0]),
        ),
    ),
    "first-spike-time": Certified(
        "first spikes; one neuron silent, one inhibited",
        case(
            40.0,
            _TRAINS,
            [lif("out", 3)],
            [wire("in", "out", [[8.0, 6.0, 0.5], [-3.0, 4.0, 1.0]], [[1.0, 2.5, 0.5], [3.0, 0.25, 4.5]])],
            cross_entropy("first_spike_time", 1, time_scale=6.0),
        ),
    ),
    "interior-maximum": Certified(
        "the largest voltage, between arrivals",
        case(
            40.0,
            [[1.0], [2.0]],
            [li("out", 2)],
            [wire("in", "out", [[3.0, 1.25], [-0.75, 2.0]], [[0.5, 1.0], [3.0, 4.0]])],
            cross_entropy("max_voltage"),
        ),
    ),
    "pinned-maximum": Certified(
        "the largest voltage is where an inhibitory arrival ends the rise",
        case(
            30.0,
            [[1.0], [2.0]],
            [li("out", 2)],
            [wire("in", "out", [[3.0, 2.0], [-9.0, -1.0]], [[0.5, 1.0], [3.0, 4.0]])],
            cross_entropy("max_voltage"),
        ),
    ),
    "arrival-at-the-end": Certified(
        "two arrivals exactly at T, where the voltages still rise (derivative: of an earlier arrival)",
        case(
            6.0,
            [[1.0], [4.0]],
            [li("out", 2)],
            [wire("in", "out", [[3.0, 2.0], [1.5, -2.5]], [[0.5, 1.0], [2.0, 2.0]])],
            cross_entropy("max_voltage"),
        ),
        {("d", 0, 1, 0): -1, ("d", 0, 1, 1): -1, ("t_in", "in", 1, 0): -1},
    ),
    "delay-beyond-the-end": Certified(
        "a delay longer than T, an input spike after T, arrivals after T, an absent synapse",
        case(
            20.0,
            [[1.0, 15.5, 25.0], [3.0]],
            [lif("hid", 2), li("out", 2)],
            [
                wire("in", "hid", [[9.0, 6.0], [5.0, 8.0]], [[1.0, 6.0], [30.0, 2.0]]),
                wire("hid", "out", [[1.0, None], [2.0, 0.5]], [[2.0, None], [12.0, 1.0]]),
            ],
            cross_entropy("mean_voltage"),
        ),
    ),
    "zero-delays": Certified(
        "delays of 0, two arrivals at one instant",
        case(
            40.0,
            [[0.0, 6.0], [6.0]],
            [lif("hid", 2), lif("out", 2)],
            [
                wire("in", "hid", [[9.0, 7.0], [5.0, 8.0]], 0.0),
                wire("hid", "out", [[5.0, 2.0], [3.0, 6.0]], [[0.0, 0.0], [0.0, 1.0]]),
            ],
            mse([8.0, 12.0], [9.0]),
        ),
    ),
    "equal-time-constants": Certified(
        "tau_mem = tau_syn, in a neuron that spikes and in one that is read",
        case(
            40.0,
            _TRAINS,
            [lif("hid", 1, tau_mem=10.0, tau_syn=10.0), li("out", 2, tau_mem=12.5, tau_syn=12.5)],
            [
                wire("in", "hid", [[3.5], [2.0]], [[1.0], [2.5]]),
                wire("hid", "out", [[1.5, -0.5]], [[2.0, 0.5]]),
                wire("in", "out", [[1.0, 2.0], [0.5, 1.5]], [[4.0, 6.0], [1.0, 3.0]]),
            ],
            cross_entropy("max_voltage"),
        ),
    ),
    "integral-of-a-spiking-voltage": Certified(
        "the weighted integral of voltages that are reset",
        case(
            45.0,
            _TRAINS,
            [lif("out", 2, threshold=0.75, reset=-0.25)],
            [wire("in", "out", [[8.0, -0.5], [3.0, 6.5]], [[1.0, 2.5], [0.25, 3.0]])],
            cross_entropy("exp_weighted_voltage"),
        ),
    ),
    "self-connection": Certified(
        "one neuron that excites itself, another that inhibits itself",
        case(
            60.0,
            [[1.0, 20.0]],
            [lif("out", 2, tau_mem=[18.0, 25.0])],
            [
                wire("in", "out", [[9.0, 12.0]], [[1.0, 2.0]]),
                wire("out", "out", [[2.5, None], [None, -3.0]], [[6.0, None], [None, 4.5]]),
            ],
            mse([4.0, 8.0], [5.0, 15.0]),
        ),
    ),
}
