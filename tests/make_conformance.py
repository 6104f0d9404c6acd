"""`python -m tests.make_conformance`: writes the conformance set, `spec/conformance/*.json`.

Each case is about one thing. Results are the ground truth's: 50 digits, gradients by central differences, rounded to
float64. No case is at a tie, nor near one, so a right implementation in float64 has the same spikes.
"""

from __future__ import annotations

import json
from pathlib import Path

import mpmath
import numpy as np

from spec import ConnectionGradient, Gradients, PopulationGradient, Result, case_from_text
from tests.truth import Problem, gradient, simulate

FOLDER = Path(__file__).parents[1] / "spec" / "conformance"
SMALLEST = mpmath.mpf("1e-27")
"""A difference below it is 0: some 30 digits are right."""


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

DOCUMENTS: dict[str, dict] = {
    "one-neuron": _case(
        50.0, [[1.0, 4.0]], [_lif("out", 1)], [_connection("in", "out", [[14.0]], 2.5)], _mse([5.0, 9.0, 14.0])
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


def with_results(document: dict) -> str:
    """The text of the file: the case, and the ground truth as its expected results; one line a key."""
    case = case_from_text(json.dumps(document))
    truth, true = simulate(Problem.from_case(case)), gradient(case)
    assert truth.margin > 1e-4 and (truth.kappa_min is None or truth.kappa_min > 1e-3), "too near a tie"
    result = Result(truth.loss, truth.spikes, truth.kappa, truth.readout, _cleaned(true), ())
    lines = {**document, "expected": result.to_dict(case.network)}
    return "{\n" + ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in lines.items()) + "\n}\n"


def _cleaned(gradients: Gradients) -> Gradients:
    def clean(values: np.ndarray) -> np.ndarray:
        return np.array([number if abs(number) > SMALLEST else 0.0 for number in values.ravel()]).reshape(values.shape)

    def constants(found: PopulationGradient) -> PopulationGradient:
        given = (found.dL_dtau_mem, found.dL_dtau_syn, found.dL_dv_th, found.dL_dv_reset)
        return PopulationGradient(*(clean(values) for values in given if values is not None))

    return Gradients(
        tuple(ConnectionGradient(clean(g.dL_dw), clean(g.dL_dd)) for g in gradients.connections),
        {name: constants(found) for name, found in gradients.populations.items()},
        {name: tuple(clean(train) for train in trains) for name, trains in gradients.inputs.items()},
    )


def main() -> None:
    """Write all files."""
    FOLDER.mkdir(exist_ok=True)
    for name, document in DOCUMENTS.items():
        (FOLDER / f"{name}.json").write_text(with_results(document), encoding="utf-8")


if __name__ == "__main__":
    main()
