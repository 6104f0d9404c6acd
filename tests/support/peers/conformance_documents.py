"""The cases of the conformance set without results: `DOCUMENTS`, by name.

Each case has one subject. The simplest (one layer, one pair of time constants, delays of 0 or whole
ms) are for simulators that can do no more.
"""

from __future__ import annotations

from tests.support.networks.documents import case, cross_entropy, li, lif, mse, wire

_TWO_TO_THREE = wire("in", "hid", [[6.0, 4.0, -1.5], [2.5, 5.0, 7.5]], [[1.0, 2.5, 0.5], [3.0, 0.25, 4.5]])
_THREE_TO_TWO = wire(
    "hid", "out", [[1.5, -0.5], [0.75, 1.25], [-1.0, 2.0]], [[2.0, 0.5], [1.0, 3.5], [5.0, 0.75]]
)
_SLOW = wire("in", "hid", [[2.0, 1.5, -0.5], [1.0, 2.0, 2.75]], [[1.0, 2.5, 0.5], [3.0, 0.25, 4.5]])
_TRAINS = [[0.5, 7.25, 18.0], [3.0, 11.5]]
_WHOLE_TRAINS = [[1.0, 7.0, 18.0], [3.0, 12.0]]
_WHOLE_TWO_TO_THREE = wire("in", "hid", _TWO_TO_THREE["weights"], [[1.0, 3.0, 2.0], [4.0, 1.0, 5.0]])
_WHOLE_THREE_TO_TWO = wire("hid", "out", _THREE_TO_TWO["weights"], [[2.0, 1.0], [1.0, 4.0], [5.0, 3.0]])
_TO_THREE = [[9.0, 5.0, -1.5], [3.5, 8.0, 11.0]]
_READ = [[2.0, -1.0], [-0.5, 1.5]]

DOCUMENTS: dict[str, dict] = {
    "one-neuron": case(
        50.0, [[1.0, 4.0]], [lif("out", 1)], [wire("in", "out", [[14.0]], 2.5)], mse([5.0, 9.0, 14.0])
    ),
    "one-layer-no-delays": case(
        40.0, _TRAINS, [lif("out", 3)], [wire("in", "out", _TO_THREE, 0.0)], mse([4.0, 9.0], [10.0], [7.0])
    ),
    "one-layer-voltage-whole-ms": case(
        40.0,
        _WHOLE_TRAINS,
        [li("out", 2)],
        [wire("in", "out", _READ, [[1.0, 4.0], [2.0, 3.0]])],
        cross_entropy("mean_voltage"),
    ),
    "one-layer-voltage": case(
        40.0,
        _TRAINS,
        [li("out", 2)],
        [wire("in", "out", _READ, [[1.25, 3.6], [2.4, 3.1]])],
        cross_entropy("max_voltage"),
    ),
    "one-layer-first-spikes-whole-ms": case(
        40.0,
        _WHOLE_TRAINS,
        [lif("out", 3)],
        [wire("in", "out", _TO_THREE, [[1.0, 4.0, 2.0], [5.0, 1.0, 3.0]])],
        cross_entropy("first_spike_time", 2, time_scale=4.0),
    ),
    "one-layer-first-spikes": case(
        40.0,
        _TRAINS,
        [lif("out", 3)],
        [wire("in", "out", _TO_THREE, [[1.25, 4.5, 2.1], [5.3, 0.75, 3.4]])],
        cross_entropy("first_spike_time", 2, time_scale=4.0),
    ),
    "one-layer-spike-times-whole-ms": case(
        40.0,
        _WHOLE_TRAINS,
        [lif("out", 3)],
        [wire("in", "out", _TO_THREE, [[1.0, 4.0, 2.0], [5.0, 1.0, 3.0]])],
        mse([5.0, 12.0], [10.0], [9.0, 15.0]),
    ),
    "hidden-layer-no-delays": case(
        40.0,
        _TRAINS,
        [lif("hid", 3), li("out", 2)],
        [
            wire("in", "hid", _TWO_TO_THREE["weights"], 0.0),
            wire("hid", "out", _THREE_TO_TWO["weights"], 0.0),
        ],
        cross_entropy("mean_voltage"),
    ),
    "hidden-layer-whole-ms": case(
        40.0,
        _WHOLE_TRAINS,
        [lif("hid", 3), li("out", 2)],
        [_WHOLE_TWO_TO_THREE, _WHOLE_THREE_TO_TWO],
        cross_entropy("max_voltage", 1),
    ),
    "recurrent-whole-ms": case(
        40.0,
        _WHOLE_TRAINS,
        [lif("hid", 3), li("out", 2)],
        [
            _WHOLE_TWO_TO_THREE,
            wire(
                "hid",
                "hid",
                [[0.5, -1.0, 1.5], [1.0, -0.5, 2.0], [-1.5, 2.5, 0.75]],
                [[3.0, 5.0, 2.0], [6.0, 4.0, 1.0], [2.0, 7.0, 3.0]],
            ),
            _WHOLE_THREE_TO_TWO,
        ],
        cross_entropy("mean_voltage", 1),
    ),
    "max-voltage": case(
        40.0, _TRAINS, [lif("hid", 3), li("out", 2)], [_TWO_TO_THREE, _THREE_TO_TWO], cross_entropy("max_voltage")
    ),
    "mean-voltage-heterogeneous": case(
        40.0,
        _TRAINS,
        [
            lif(
                "hid",
                3,
                tau_mem=[18.0, 20.0, 25.0],
                tau_syn=[5.0, 8.0, 3.5],
                threshold=[1.0, 0.8, 1.3],
                reset=[0.0, -0.3, 0.25],
            ),
            li("out", 2, tau_mem=[15.0, 30.0], tau_syn=[6.0, 40.0]),
        ],
        [_TWO_TO_THREE, _THREE_TO_TWO],
        cross_entropy("mean_voltage", 1),
    ),
    "exp-weighted-voltage-of-lif": case(
        45.0,
        _TRAINS,
        [lif("hid", 3), lif("out", 2, threshold=0.4, reset=-0.1)],
        [_TWO_TO_THREE, wire("hid", "out", [[3.0, -0.5], [1.75, 2.25], [-1.0, 4.0]], 1.5)],
        cross_entropy("exp_weighted_voltage"),
    ),
    "first-spike-time": case(
        40.0,
        _TRAINS,
        [lif("hid", 3), lif("out", 2)],
        [
            _TWO_TO_THREE,
            wire("hid", "out", [[4.0, 1.5], [3.75, 5.25], [2.0, 4.0]], [[1.0, 6.0], [0.5, 2.0], [3.0, 4.0]]),
        ],
        cross_entropy("first_spike_time", 1, time_scale=5.0),
    ),
    "missing-and-free-spikes": case(
        40.0,
        _TRAINS,
        [lif("out", 3, reset=-0.5)],
        [wire("in", "out", [[12.0, 4.0, 1.0], [9.0, 4.5, -2.0]], 1.25)],
        mse([3.0, 8.0], [10.0, 20.0, 25.0, 30.0], [12.0]),
    ),
    "recurrent-self-connection": case(
        60.0,
        _TRAINS,
        [lif("out", 3)],
        [
            wire("in", "out", [[8.0, 4.0, 3.0], [3.5, 7.0, 9.0]], [[1.0, 2.5, 0.5], [3.0, 0.25, 4.5]]),
            wire(
                "out",
                "out",
                [[1.5, -2.0, None], [2.5, -1.0, 1.0], [-1.5, 2.0, 0.5]],
                [[4.0, 7.0, None], [2.0, 9.5, 5.0], [6.5, 3.0, 12.0]],
            ),
        ],
        mse([5.0, 10.0], [8.0, 15.0], [9.0, 12.0, 20.0]),
    ),
    "skip-and-parallel": case(
        40.0,
        _TRAINS,
        [lif("hid", 3), li("out", 2)],
        [
            _TWO_TO_THREE,
            _THREE_TO_TWO,
            wire("in", "out", [[0.5, None], [-0.75, 1.5]], [[6.0, None], [0.0, 2.0]]),
            wire("hid", "out", [[None, 0.6], [-0.4, None], [0.3, 0.2]], [[None, 7.0], [9.0, None], [4.0, 11.0]]),
        ],
        cross_entropy("max_voltage", 1),
    ),
    "equal-time-constants": case(
        40.0,
        _TRAINS,
        [lif("hid", 3, tau_mem=10.0, tau_syn=10.0), li("out", 2, tau_mem=10.0, tau_syn=10.0)],
        [_SLOW, _THREE_TO_TWO],
        cross_entropy("max_voltage"),
    ),
    "nearly-equal-time-constants": case(
        40.0,
        _TRAINS,
        [
            lif("hid", 3, tau_mem=10.0, tau_syn=[10.000001, 9.9999999999, 10.0001]),
            li("out", 2, tau_mem=10.0, tau_syn=10.00000001),
        ],
        [_SLOW, _THREE_TO_TWO],
        cross_entropy("exp_weighted_voltage"),
    ),
    "maximum-pinned-to-an-arrival": case(
        30.0,
        [[1.0], [2.0]],
        [li("out", 2)],
        [wire("in", "out", [[3.0, 2.0], [-9.0, -1.0]], [[0.5, 1.0], [3.0, 4.0]])],
        cross_entropy("max_voltage"),
    ),
    "silent-network": case(
        30.0, [[1.0, 5.0]], [lif("out", 2)], [wire("in", "out", [[2.0, -9.0]], 3.0)], mse([5.0], [9.0])
    ),
    "silent-neuron": case(
        30.0,
        [[1.0, 5.0]],
        [lif("hid", 1), lif("out", 2)],
        [wire("in", "hid", [[9.0]], 1.0), wire("hid", "out", [[7.0, 1.0]], [[2.0, 3.0]])],
        cross_entropy("first_spike_time", 0, time_scale=10.0),
    ),
    "after-the-end": case(
        20.0,
        [[1.0, 15.5, 25.0], [3.0]],
        [lif("hid", 2), li("out", 2)],
        [
            wire("in", "hid", [[9.0, 6.0], [5.0, 8.0]], [[1.0, 6.0], [30.0, 2.0]]),
            wire("hid", "out", [[1.0, -1.0], [2.0, 0.5]], [[2.0, 14.0], [12.0, 1.0]]),
        ],
        cross_entropy("mean_voltage"),
    ),
    "zero-delays": case(
        40.0,
        [[0.0, 6.0], [6.0]],
        [lif("hid", 2), lif("out", 2)],
        [
            wire("in", "hid", [[9.0, 7.0], [5.0, 8.0]], 0.0),
            wire("hid", "out", [[5.0, 2.0], [3.0, 6.0]], [[0.0, 0.0], [0.0, 1.0]]),
        ],
        mse([8.0, 12.0], [9.0]),
    ),
}
