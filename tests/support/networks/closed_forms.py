"""Networks with spikes and voltages in closed form, for the tests of the ground truth."""

from collections.abc import Callable, Sequence

import mpmath
from mpmath import mpf

from delayprop.spec import Case
from tests.support.networks.documents import read, wire
from tests.support.truth import Problem

DIGITS = 50  # digits of the ground truth; mpmath computes the closed forms with 70
EXACT = mpf("1e-47")  # difference of two results of 50 digits, for values from 1 to 100
DIFFERENCED = mpf("1e-28")  # error of a central difference for a derivative near 1: 1e-32 times the third derivative


def case_of(out: dict, weights: list, delays: list, inputs: list, loss: dict, T: float) -> Case:
    """Inputs onto two neurons, of 16 and 8 ms unless `out` has other constants."""
    population = {"name": "out", "size": 2, "tau_mem": 16.0, "tau_syn": 8.0, **out}
    return read(T, inputs, [population], [wire("in", "out", weights, delays)], {"population": "out", **loss})


def lif(**constants: float) -> dict:
    """Constants of spiking neurons."""
    return {"kind": "lif", "threshold": 1.0, "reset": -0.25, **constants}


def loss_of(read: str) -> dict:
    """A readout of `li` or `lif`, or the two first spikes of the first neuron."""
    if read == "spikes":
        return {"kind": "spike_time_mse", "targets": [[10.0, 20.0], []]}
    scale = {"time_scale": 5.0} if read == "first_spike_time" else {}
    return {"kind": "cross_entropy", "readout": read, "label": 0, **scale}


def one_neuron(
    read: str = "spikes", kind: str = "lif", w: float = 15.0, tau_syn: float = 8.0, T: float = 60.0
) -> Case:
    """An input spike, and two neurons of `tau_mem` 16 ms; only the first has a synapse."""
    out = (lif() if kind == "lif" else {"kind": kind}) | {"tau_syn": tau_syn}
    return case_of(out, [[w, None]], [[1.75, None]], [[0.5]], loss_of(read), T)


def spikes_of_a_quadratic(problem: Problem) -> list[mpf]:
    """The spikes of `one_neuron` with `tau_mem = 2 tau_syn`.

    With `u = exp(-(t - t_arr)/tau_mem)`, its voltage is

        V = w (u - u^2) - (v_th - v_reset) sum_k u/u_k
    """
    values = problem.values
    w, v_th = values["w", 0, 0, 0], values["v_th", "out", 0]
    drop = v_th - values["v_reset", "out", 0]
    found: list[mpf] = []
    while True:
        b = w - drop * mpmath.fsum(1 / u for u in found)
        discriminant = b * b - 4 * w * v_th
        if b <= 0 or discriminant <= 0:
            t_arr = values["t_in", "in", 0, 0] + values["d", 0, 0, 0]
            return [t_arr - 16 * mpmath.log(u) for u in found]
        found.append((b + mpmath.sqrt(discriminant)) / (2 * w))


def response(spikes: list[mpf]) -> Callable[[mpf], mpf]:
    """V(t) of `one_neuron` between its spikes."""

    def V(t: mpf) -> mpf:
        u = mpmath.exp(-(t - mpf("2.25")) / 16)
        resets = mpmath.fsum(mpmath.exp((t_k - t) / 16) for t_k in spikes if t_k < t)
        return 15 * (u - u * u) * (t > 2.25) - mpf("1.25") * resets

    return V


def pinned_maximum(read: str = "max_voltage", weights: Sequence = ([2.0, None], [-5.0, None])) -> Problem:
    """Excitation at 1 ms; one or more inhibitory arrivals at 3 ms end the rise of the voltage."""
    inhibiting = len(weights) - 1
    delays, inputs = [[1.0, None], *[[0.5, None]] * inhibiting], [[0.0], *[[2.5]] * inhibiting]
    return Problem.from_case(case_of({"kind": "li"}, list(weights), delays, inputs, loss_of(read), 40.0))


def arrival_at_a_crossing() -> tuple[Problem, mpf]:
    """`one_neuron` with an inhibitory arrival exactly at its first spike, and the time of both."""
    first, *_ = spikes_of_a_quadratic(Problem.from_case(one_neuron()))
    weights, delays = [[15.0, None], [-9.0, None]], [[1.75, None], [0.0, None]]
    problem = Problem.from_case(case_of(lif(), weights, delays, [[0.5], [3.0]], loss_of("spikes"), 60.0))
    problem.values["t_in", "in", 1, 0] = first
    return problem, first
