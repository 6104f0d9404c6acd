"""The effect of each known fault on the conformance set: content of `spec/conformance/faults.json`.

Faults of the adjoint and of the simulation are planted in a copy of the reference, which runs every
case in a child process. Faults of notation, scale or arrangement are functions of right results.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from delayprop.spec.conformance.cases import Stored, stored
from delayprop.spec.conformance.faults import FORMAT
from delayprop.spec.conformance.layout import found_at, numbers, places
from tests.support.faults.catalogue import FAULTS
from tests.support.faults.planting import edit, plant, results

BEYOND_ROUNDING = 1e-8  # relative errors below this are not an effect of the fault
KEPT = 10  # digits per stored number


@dataclass(frozen=True)
class Planted:
    """A fault of the reference: in each `file`, `text` becomes `wrong`."""

    name: str
    what: str
    edits: tuple[tuple[str, str, str], ...]


WHAT = {
    "flipped sign of the delay gradient": "dL/dd has the other sign",
    "same slope before and after the reset": "the jump at a spike takes the slope before the reset for both",
    "no jump at the first spike": "the jump of lambda_V at the first spike of each neuron is left out",
    "no tau_syn in the weight gradient": "dL/dw is -lambda_I, not -tau_syn lambda_I",
    "delay cut to whole ms": "delays are cut to a grid of 1 ms",
    "adjoint looked up at t, not at t + d": "dL/dd and what a spike sends back are read when it leaves, not on arrival",
    "1e-3 added to a denominator": "Vdot + 1e-3 where the jump divides by Vdot",
    "0.1 % error": "what an arrival's time does to the loss, times 1.001",
    "no jump at the last spike": "the jump of lambda_V at the last spike of each neuron is left out",
    "lambda_V left out of the delay gradient": "dL/dd is -w lambda_I, not w (lambda_V - lambda_I)",
    "reset gradient from the wrong side of the spike": "dL/dv_reset reads lambda_V before the spike, not after it",
    "flipped sign of the threshold gradient": "dL/dv_th has the other sign",
    "flipped sign of the gradient by tau_syn": "dL/dtau_syn has the other sign, but for integral readouts",
}
"""The faults of `catalogue.py`, in words."""

_DELAYS = "self.dL_dd[synapse.connection][entry] += dL_dt"
MORE = (
    Planted(
        "lambda_V left out of what a spike sends back",
        "dL/dt of an arrival is -w lambda_I, not w (lambda_V - lambda_I), in delays and in the jump of its sender",
        (("jumps.py", "return w * (lambda_V - lambda_I)", "return -w * lambda_I"),),
    ),
    Planted(
        "delay gradient read before the reset",
        "an arrival that follows a reset of its target within a millisecond reads the adjoint of before the reset",
        (
            (
                "adjoint.py",
                _DELAYS,
                "before = [e for e in event.neuron.events if isinstance(e, Crossing) and e.t <= event.t < e.t + 1]\n"
                "            if before:\n"
                '                before[-1].__dict__.setdefault("late", []).append((synapse, entry))\n'
                "            else:\n"
                "                self.dL_dd[synapse.connection][entry] += dL_dt",
            ),
            (
                "adjoint.py",
                "        adjoint.dL_dv_th += dL_dv_th_at_crossing(",
                '        for synapse, entry in event.__dict__.get("late", []):\n'
                "            dL_dt = dL_dt_arr(synapse.w, adjoint.lambda_V, adjoint.lambda_I)\n"
                "            self.dL_dd[synapse.connection][entry] += dL_dt\n"
                "        adjoint.dL_dv_th += dL_dv_th_at_crossing(",
            ),
        ),
    ),
)


def planted() -> tuple[Planted, ...]:
    own = [fault for fault in FAULTS if fault.package == "reference"]
    assert [fault.name for fault in own] == list(WHAT), "`WHAT` must describe each fault of `catalogue.py`, in order"
    return *(Planted(f.name, WHAT[f.name], ((f.file, f.text, f.wrong),)) for f in own), *MORE


def faulty_results(fault: Planted) -> dict[str, dict]:
    """Results of the reference with the fault, by case."""
    with TemporaryDirectory() as name:
        folder = plant(None, "reference", Path(name))
        for file, text, wrong in fault.edits:
            edit(folder / "reference" / file, text, wrong)
        return results("reference", folder)


_TIMES = {"delays", "tau_mem", "tau_syn"}


def _scaled(value: object, factor: float) -> object:
    if isinstance(value, list):
        return [_scaled(entry, factor) for entry in value]
    return value * factor if isinstance(value, float) else value


def _all_scaled(gradients: dict, factor: float) -> dict:
    def scaled(value: object) -> object:
        if isinstance(value, dict):
            return {key: scaled(entry) for key, entry in value.items()}
        return [scaled(entry) for entry in value] if isinstance(value, list) else _scaled(value, factor)

    found = scaled(gradients)
    assert isinstance(found, dict)
    return found


def _per_second(one: Stored, found: dict) -> None:
    gradients = found["gradients"]
    for part in (*gradients["connections"], *gradients["populations"].values()):
        for key in _TIMES & set(part):
            part[key] = _scaled(part[key], 1e3)
    gradients["inputs"] = _all_scaled(gradients["inputs"], 1e3)


def _columns_for_rows(keys: tuple[str, ...]) -> Callable[[Stored, dict], None]:
    """Writes each matrix in column order."""

    def change(one: Stored, found: dict) -> None:
        for connection, gradient in zip(one.case.network.connections, found["gradients"]["connections"], strict=True):
            for key in keys:
                full = np.array([[0.0 if v is None else v for v in row] for row in gradient[key]])
                moved = full.T.reshape(full.shape).tolist()
                gradient[key] = [
                    [v if there else None for v, there in zip(row, mask, strict=True)]
                    for row, mask in zip(moved, connection.exists, strict=True)
                ]

    return change


def _mean_of_gradient(one: Stored, found: dict) -> None:
    found["gradients"] = _all_scaled(found["gradients"], 1 / one.case.network.population(one.case.loss.population).size)


def _mean_of_squares(one: Stored, found: dict) -> None:
    if found["readout"] is None:
        _mean_of_gradient(one, found)
        found["loss"] /= one.case.network.population(one.case.loss.population).size


def _no_half(one: Stored, found: dict) -> None:
    if found["readout"] is None:
        found["gradients"] = _all_scaled(found["gradients"], 2.0)
        found["loss"] *= 2.0


WRITTEN: dict[str, tuple[str, Callable[[Stored, dict], None]]] = {
    "times in s": ("derivatives by delays, time constants and input times are per s, not per ms", _per_second),
    "transposed weights": ("the numbers of each matrix dL/dw stand column by column", _columns_for_rows(("weights",))),
    "transposed weights and delays": (
        "the numbers of the matrices dL/dw and dL/dd stand column by column",
        _columns_for_rows(("weights", "delays")),
    ),
    "gradient of the mean over neurons": (
        "all gradients are divided by the number of neurons that the loss reads; the loss is right",
        _mean_of_gradient,
    ),
    "mean of squares over neurons": (
        "spike_time_mse, and its gradients, are divided by the number of neurons that it reads",
        _mean_of_squares,
    ),
    "no half in the squares": ("spike_time_mse, and its gradients, are twice as large", _no_half),
}
"""Description and function of each fault that changes the right results."""


def all_faulty_results() -> Iterator[tuple[str, str, dict[str, dict]]]:
    for fault in planted():
        yield fault.name, fault.what, faulty_results(fault)
    for name, (what, change) in WRITTEN.items():
        yield name, what, written_results(change)


def written_results(change: Callable[[Stored, dict], None]) -> dict[str, dict]:
    found = {}
    for one in stored():
        found[one.name] = copy.deepcopy(one.expected)
        change(one, found[one.name])
    return found


def signature(of: dict[str, dict]) -> dict[str, dict[str, list[float]]]:
    """The blocks that differ from the right ones, by case and path."""
    found: dict[str, dict[str, list[float]]] = {}
    for one in stored():
        for place in places(one.expected):
            true = numbers(place.expected, place.expected, place.path)
            value = found_at(of[one.name], place)
            given = numbers(value, value, place.path)
            if len(given) != len(true) or _off(given, true) > BEYOND_ROUNDING:
                rounded = [float(f"{number:.{KEPT}g}") for number in given]
                found.setdefault(one.name, {})[place.path] = rounded
    return found


def _off(found: list[float], true: list[float]) -> float:
    a, b = np.array(found), np.array(true)
    error = float(np.linalg.norm(a - b))
    return error / max(float(np.linalg.norm(b)), 1e-6) if error else 0.0


def document(faulty: Iterable[tuple[str, str, dict[str, dict]]]) -> dict:
    faults = [{"name": name, "what": what, "cases": signature(got)} for name, what, got in faulty]
    return {"format": FORMAT, "faults": faults}
