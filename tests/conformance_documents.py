"""The cases of the conformance set, without their results: `DOCUMENTS`, by name.

Each is about one thing. The simplest (one layer, one pair of time constants, delays of 0 or of whole ms) are there for
simulators that can do no more.
"""

from __future__ import annotations


def _lif(name: str, size: int, **constants: object) -> dict:
    given = {"tau_mem": 20.0, "tau_syn": 5.0, "threshold": 1.0, "reset": 0.0, **constants}
    return {"name": name, "kind": "lif", "size": size, **given}


def _li(name: str, size: int, **constants: object) -> dict:
    return {"name": name, "kind": "li", "size": size, "tau_mem": 20.0, "tau_syn": 5.0, **constants}


def _connection(source: str, target: str, weights: list, delays: object) -> dict:
    return {"source": source, "target": target, "weights": weights, "delays": delays}


def _cross_entropy(readout: str, label: int = 0, **time_scale: float) -> dict:
    return {"kind": "cross_entropy", "readout": readout, "population": "out", "label": label, **time_scale}


def _case(duration: float, inputs: list, populations: list, connections: list, loss: dict) -> dict:
    return {
        "format": "eventprop-case/1",
        "duration": duration,
        "populations": [{"name": "in", "kind": "input", "size": len(inputs)}, *populations],
        "connections": connections,
        "inputs": {"in": inputs},
        "loss": loss,
    }


def _mse(*targets: list[float]) -> dict:
    return {"kind": "spike_time_mse", "population": "out", "targets": list(targets)}


_TWO_TO_THREE = _connection("in", "hid", [[6.0, 4.0, -1.5], [2.5, 5.0, 7.5]], [[1.0, 2.5, 0.5], [3.0, 0.25, 4.5]])
_THREE_TO_TWO = _connection(
    "hid", "out", [[1.5, -0.5], [0.75, 1.25], [-1.0, 2.0]], [[2.0, 0.5], [1.0, 3.5], [5.0, 0.75]]
)
_SLOW = _connection("in", "hid", [[2.0, 1.5, -0.5], [1.0, 2.0, 2.75]], [[1.0, 2.5, 0.5], [3.0, 0.25, 4.5]])
_TRAINS = [[0.5, 7.25, 18.0], [3.0, 11.5]]
_WHOLE_TRAINS = [[1.0, 7.0, 18.0], [3.0, 12.0]]
_WHOLE_TWO_TO_THREE = _connection("in", "hid", _TWO_TO_THREE["weights"], [[1.0, 3.0, 2.0], [4.0, 1.0, 5.0]])
_WHOLE_THREE_TO_TWO = _connection("hid", "out", _THREE_TO_TWO["weights"], [[2.0, 1.0], [1.0, 4.0], [5.0, 3.0]])
_TO_THREE = [[9.0, 5.0, -1.5], [3.5, 8.0, 11.0]]
_READ = [[2.0, -1.0], [-0.5, 1.5]]

DOCUMENTS: dict[str, dict] = {
    "one-neuron": _case(
        50.0, [[1.0, 4.0]], [_lif("out", 1)], [_connection("in", "out", [[14.0]], 2.5)], _mse([5.0, 9.0, 14.0])
    ),
    "one-layer-no-delays": _case(
        40.0, _TRAINS, [_lif("out", 3)], [_connection("in", "out", _TO_THREE, 0.0)], _mse([4.0, 9.0], [10.0], [7.0])
    ),
    "one-layer-voltage-whole-ms": _case(
        40.0,
        _WHOLE_TRAINS,
        [_li("out", 2)],
        [_connection("in", "out", _READ, [[1.0, 4.0], [2.0, 3.0]])],
        _cross_entropy("mean_voltage"),
    ),
    "one-layer-voltage": _case(
        40.0,
        _TRAINS,
        [_li("out", 2)],
        [_connection("in", "out", _READ, [[1.25, 3.6], [2.4, 3.1]])],
        _cross_entropy("max_voltage"),
    ),
    "one-layer-first-spikes-whole-ms": _case(
        40.0,
        _WHOLE_TRAINS,
        [_lif("out", 3)],
        [_connection("in", "out", _TO_THREE, [[1.0, 4.0, 2.0], [5.0, 1.0, 3.0]])],
        _cross_entropy("first_spike_time", 2, time_scale=4.0),
    ),
    "one-layer-first-spikes": _case(
        40.0,
        _TRAINS,
        [_lif("out", 3)],
        [_connection("in", "out", _TO_THREE, [[1.25, 4.5, 2.1], [5.3, 0.75, 3.4]])],
        _cross_entropy("first_spike_time", 2, time_scale=4.0),
    ),
    "one-layer-spike-times-whole-ms": _case(
        40.0,
        _WHOLE_TRAINS,
        [_lif("out", 3)],
        [_connection("in", "out", _TO_THREE, [[1.0, 4.0, 2.0], [5.0, 1.0, 3.0]])],
        _mse([5.0, 12.0], [10.0], [9.0, 15.0]),
    ),
    "hidden-layer-no-delays": _case(
        40.0,
        _TRAINS,
        [_lif("hid", 3), _li("out", 2)],
        [
            _connection("in", "hid", _TWO_TO_THREE["weights"], 0.0),
            _connection("hid", "out", _THREE_TO_TWO["weights"], 0.0),
        ],
        _cross_entropy("mean_voltage"),
    ),
    "hidden-layer-whole-ms": _case(
        40.0,
        _WHOLE_TRAINS,
        [_lif("hid", 3), _li("out", 2)],
        [_WHOLE_TWO_TO_THREE, _WHOLE_THREE_TO_TWO],
        _cross_entropy("max_voltage", 1),
    ),
    "recurrent-whole-ms": _case(
        40.0,
        _WHOLE_TRAINS,
        [_lif("hid", 3), _li("out", 2)],
        [
            _WHOLE_TWO_TO_THREE,
            _connection(
                "hid",
                "hid",
                [[0.5, -1.0, 1.5], [1.0, -0.5, 2.0], [-1.5, 2.5, 0.75]],
                [[3.0, 5.0, 2.0], [6.0, 4.0, 1.0], [2.0, 7.0, 3.0]],
            ),
            _WHOLE_THREE_TO_TWO,
        ],
        _cross_entropy("mean_voltage", 1),
    ),
    "max-voltage": _case(
        40.0, _TRAINS, [_lif("hid", 3), _li("out", 2)], [_TWO_TO_THREE, _THREE_TO_TWO], _cross_entropy("max_voltage")
    ),
    "mean-voltage-heterogeneous": _case(
        40.0,
        _TRAINS,
        [
            _lif(
                "hid",
                3,
                tau_mem=[18.0, 20.0, 25.0],
                tau_syn=[5.0, 8.0, 3.5],
                threshold=[1.0, 0.8, 1.3],
                reset=[0.0, -0.3, 0.25],
            ),
            _li("out", 2, tau_mem=[15.0, 30.0], tau_syn=[6.0, 40.0]),
        ],
        [_TWO_TO_THREE, _THREE_TO_TWO],
        _cross_entropy("mean_voltage", 1),
    ),
    "exp-weighted-voltage-of-lif": _case(
        45.0,
        _TRAINS,
        [_lif("hid", 3), _lif("out", 2, threshold=0.4, reset=-0.1)],
        [_TWO_TO_THREE, _connection("hid", "out", [[3.0, -0.5], [1.75, 2.25], [-1.0, 4.0]], 1.5)],
        _cross_entropy("exp_weighted_voltage"),
    ),
    "first-spike-time": _case(
        40.0,
        _TRAINS,
        [_lif("hid", 3), _lif("out", 2)],
        [
            _TWO_TO_THREE,
            _connection("hid", "out", [[4.0, 1.5], [3.75, 5.25], [2.0, 4.0]], [[1.0, 6.0], [0.5, 2.0], [3.0, 4.0]]),
        ],
        _cross_entropy("first_spike_time", 1, time_scale=5.0),
    ),
    "missing-and-free-spikes": _case(
        40.0,
        _TRAINS,
        [_lif("out", 3, reset=-0.5)],
        [_connection("in", "out", [[12.0, 4.0, 1.0], [9.0, 4.5, -2.0]], 1.25)],
        _mse([3.0, 8.0], [10.0, 20.0, 25.0, 30.0], [12.0]),
    ),
    "recurrent-self-connection": _case(
        60.0,
        _TRAINS,
        [_lif("out", 3)],
        [
            _connection("in", "out", [[8.0, 4.0, 3.0], [3.5, 7.0, 9.0]], [[1.0, 2.5, 0.5], [3.0, 0.25, 4.5]]),
            _connection(
                "out",
                "out",
                [[1.5, -2.0, None], [2.5, -1.0, 1.0], [-1.5, 2.0, 0.5]],
                [[4.0, 7.0, None], [2.0, 9.5, 5.0], [6.5, 3.0, 12.0]],
            ),
        ],
        _mse([5.0, 10.0], [8.0, 15.0], [9.0, 12.0, 20.0]),
    ),
    "skip-and-parallel": _case(
        40.0,
        _TRAINS,
        [_lif("hid", 3), _li("out", 2)],
        [
            _TWO_TO_THREE,
            _THREE_TO_TWO,
            _connection("in", "out", [[0.5, None], [-0.75, 1.5]], [[6.0, None], [0.0, 2.0]]),
            _connection("hid", "out", [[None, 0.6], [-0.4, None], [0.3, 0.2]], [[None, 7.0], [9.0, None], [4.0, 11.0]]),
        ],
        _cross_entropy("max_voltage", 1),
    ),
    "equal-time-constants": _case(
        40.0,
        _TRAINS,
        [_lif("hid", 3, tau_mem=10.0, tau_syn=10.0), _li("out", 2, tau_mem=10.0, tau_syn=10.0)],
        [_SLOW, _THREE_TO_TWO],
        _cross_entropy("max_voltage"),
    ),
    "nearly-equal-time-constants": _case(
        40.0,
        _TRAINS,
        [
            _lif("hid", 3, tau_mem=10.0, tau_syn=[10.000001, 9.9999999999, 10.0001]),
            _li("out", 2, tau_mem=10.0, tau_syn=10.00000001),
        ],
        [_SLOW, _THREE_TO_TWO],
        _cross_entropy("exp_weighted_voltage"),
    ),
    "maximum-pinned-to-an-arrival": _case(
        30.0,
        [[1.0], [2.0]],
        [_li("out", 2)],
        [_connection("in", "out", [[3.0, 2.0], [-9.0, -1.0]], [[0.5, 1.0], [3.0, 4.0]])],
        _cross_entropy("max_voltage"),
    ),
    "silent-network": _case(
        30.0, [[1.0, 5.0]], [_lif("out", 2)], [_connection("in", "out", [[2.0, -9.0]], 3.0)], _mse([5.0], [9.0])
    ),
    "silent-neuron": _case(
        30.0,
        [[1.0, 5.0]],
        [_lif("hid", 1), _lif("out", 2)],
        [_connection("in", "hid", [[9.0]], 1.0), _connection("hid", "out", [[7.0, 1.0]], [[2.0, 3.0]])],
        _cross_entropy("first_spike_time", 0, time_scale=10.0),
    ),
    "after-the-end": _case(
        20.0,
        [[1.0, 15.5, 25.0], [3.0]],
        [_lif("hid", 2), _li("out", 2)],
        [
            _connection("in", "hid", [[9.0, 6.0], [5.0, 8.0]], [[1.0, 6.0], [30.0, 2.0]]),
            _connection("hid", "out", [[1.0, -1.0], [2.0, 0.5]], [[2.0, 14.0], [12.0, 1.0]]),
        ],
        _cross_entropy("mean_voltage"),
    ),
    "zero-delays": _case(
        40.0,
        [[0.0, 6.0], [6.0]],
        [_lif("hid", 2), _lif("out", 2)],
        [
            _connection("in", "hid", [[9.0, 7.0], [5.0, 8.0]], 0.0),
            _connection("hid", "out", [[5.0, 2.0], [3.0, 6.0]], [[0.0, 0.0], [0.0, 1.0]]),
        ],
        _mse([8.0, 12.0], [9.0]),
    ),
}
