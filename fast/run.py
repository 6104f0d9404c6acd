"""`delayprop run CASE.json`: the result of a case as one JSON object."""

import argparse
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from delayprop.fast.nn.conversion import of_trains
from delayprop.fast.nn.devices import DEVICES, DTYPES, check_device
from delayprop.fast.nn.losses import cross_entropy, first_spike_time, relative_spike_time_mse, spike_time_mse
from delayprop.fast.nn.network import Activity, Network
from delayprop.fast.nn.spikes import Spikes
from delayprop.spec import Case, RelativeSpikeTimeMSE, SpikeTimeMSE, SpikeTrains, VoltageMSE
from delayprop.spec.checks import one_of
from delayprop.spec.command import OneLineParser, run_and_exit, run_case_command
from delayprop.spec.errors import UnsupportedError, Verbatim
from delayprop.spec.neuron import LI, LIF
from delayprop.spec.results import TIE_KINDS, ConnectionGradient, Gradients, Result, Tie


def run_case(case: Case, dtype: str = "float64", device: str = "cpu") -> Result:
    """Simulate a case and differentiate its loss, as `reference.run` does, with the fast kernels.

    Args:
        dtype: `float64` or `float32`.
        device: `cpu` or `cuda`.

    Raises:
        SpecError: another dtype or device.
        UnsupportedError: a device that is missing, a case too long for the kernels' bins, or one
            with a state.
        ArithmeticError: a neuron spikes without end, or a gradient is infinite.
    """
    check_device(device)
    if case.state is not None:
        raise UnsupportedError("state", "left out", Verbatim("one"), "`python -m reference` runs such a case")
    network = Network(case.network, DTYPES[one_of(dtype, "dtype", tuple(DTYPES))]).requires_grad_().to(device)
    inputs = {name: _spikes(trains, case.duration).to(device) for name, trains in case.inputs.items()}
    if not inputs:  # legal: a silent network
        inputs = {"": _spikes(SpikeTrains(()), case.duration).to(device)}
    for spikes in inputs.values():
        spikes.times.requires_grad_()
    read = None
    if case.loss.reads is not None and case.loss.reads.of_voltage:
        read = _readout(case)
    activity = network(inputs, read)
    y, loss = _evaluate(case, activity)
    if loss.requires_grad:
        loss.backward()
    names = [population.name for population in case.network.populations if population.kind != "input"]
    offsets = {name: _numbers(activity.spikes[name].offsets[1:-1]) for name in names}
    return Result(
        float(loss.detach()),
        {name: np.split(_numbers(activity.spikes[name].times), offsets[name]) for name in names},
        {name: np.split(activity.records[name].kappa, offsets[name]) for name in names},
        None if y is None else _numbers(y[0]),
        _gradients(case, network, inputs),
        tuple(sorted(_ties(activity) | _at_samples(case, activity))),
    )


def _readout(case: Case) -> tuple[str, Any] | None:
    """The voltage that `Network` reads."""
    assert case.loss.reads is not None
    if not isinstance(case.loss, VoltageMSE):
        return case.loss.population, case.loss.reads.name
    if case.network.population(case.loss.population).equations not in (LIF, LI):
        got = Verbatim("neurons given by other equations")
        raise UnsupportedError("loss.population", "of LIF or LI neurons", got, "`python -m reference` runs such a case")
    return (case.loss.population, case.loss.times.tolist()) if len(case.loss.times) else None


def _spikes(trains: SpikeTrains, duration: float) -> Spikes:
    """One trial. A case has any unit of time, so no short duration is warned of."""
    times, offsets, size = of_trains([trains], "ms")
    return Spikes(times, offsets, 1, size, duration)


def _numbers(tensor: Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy()


def _evaluate(case: Case, activity: Activity) -> tuple[Tensor | None, Tensor]:
    if isinstance(case.loss, SpikeTimeMSE):
        return None, spike_time_mse(activity.spikes[case.loss.population], [case.loss.targets])
    if isinstance(case.loss, RelativeSpikeTimeMSE):
        t_first = activity.spikes[case.loss.population].first()
        label = torch.tensor([case.loss.label], device=t_first.device)
        return None, relative_spike_time_mse(t_first, label, case.loss.margin)
    y = activity.y
    if isinstance(case.loss, VoltageMSE):
        if y is None:  # no times
            y = torch.zeros(1, *case.loss.targets.shape)
        return y, (y[0] - torch.tensor(case.loss.targets, dtype=y.dtype, device=y.device)).square().sum() / 2
    if y is None:
        assert case.loss.time_scale is not None
        y = first_spike_time(activity.spikes[case.loss.population], case.loss.time_scale)
    return y, cross_entropy(y, torch.tensor([case.loss.label], device=y.device))


def _gradients(case: Case, network: Network, inputs: dict[str, Spikes]) -> Gradients:
    def of(parameter: Tensor) -> np.ndarray:
        return _numbers(torch.zeros_like(parameter) if parameter.grad is None else parameter.grad)

    populations = {
        population.name: {name: of(constant) for name, constant in own.constants.items()}
        for population, own in zip(case.network.populations, network.constants, strict=True)
        if population.kind != "input"
    }
    return Gradients(
        tuple(ConnectionGradient(of(s.w), of(s.d)) for s in network.synapses),
        populations,
        {name: np.split(of(inputs[name].times), _numbers(inputs[name].offsets[1:-1])) for name in case.inputs},
    )


def _ties(activity: Activity) -> set[Tie]:
    return {
        Tie(name, neuron, kind)
        for name, record in activity.records.items()
        for neuron, bits in enumerate(record.ties[0])
        for n, kind in enumerate(TIE_KINDS)
        if bits & 1 << n
    }


def _at_samples(case: Case, activity: Activity) -> set[Tie]:
    """Ties of an event and a sample (specification, section 4); a spike is known to a tick."""
    if not isinstance(case.loss, VoltageMSE):
        return set()
    name, s = case.loss.population, case.loss.times[:, None]
    emitted = {other: [_numbers(spikes.train(0, i)) for i in range(spikes.size)]
               for other, spikes in activity.spikes.items()}
    trains: dict[str, Any] = {**emitted, **case.inputs}
    found = {
        int(j) for c in case.network.connections if c.target == name
        for i, j in zip(*c.exists.nonzero(), strict=True) if np.any(s == np.asarray(trains[c.source][i]) + c.d[i, j])
    }
    record, values = activity.records[name], case.network.population(name).values
    kappa = np.split(record.kappa, np.cumsum([len(train) for train in emitted[name]])[:-1])
    for j, (train, own) in enumerate(zip(emitted[name], kappa, strict=True)):
        near = np.maximum(16 * 2.0**-53 * values["tau_mem"][j] / np.sqrt(own), record.tick)
        if np.any(np.abs(s - train) <= near):
            found.add(j)
    return {Tie(name, j, "event_at_sample") for j in found}


def main(argv: Sequence[str] | None = None, prog: str = "python -m fast.run") -> int:
    """The command; returns the exit code (0; 2: bad or unsupported input; 3: not finite, or no
    memory)."""
    parser = OneLineParser(prog, "Print spikes, loss and exact gradients of a case as one JSON object.")
    parser.add_argument("--dtype", choices=tuple(DTYPES), default="float64", help="precision (default: %(default)s)")
    parser.add_argument("--device", choices=DEVICES, default="cpu", help="device that computes (default: %(default)s)")
    return run_case_command(parser, _run, argv)


def _run(case: Case, options: argparse.Namespace) -> Result:
    try:
        return run_case(case, options.dtype, options.device)
    except torch.OutOfMemoryError as error:
        raise MemoryError("on the GPU") from error


if __name__ == "__main__":
    run_and_exit(main)
