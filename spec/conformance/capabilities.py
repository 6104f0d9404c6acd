"""What a simulator must be able to do for a case: read off the case and the number of its spikes."""

from __future__ import annotations

import numpy as np

from spec.case import Case
from spec.conformance.cases import Stored
from spec.losses import CrossEntropy, SpikeTimeMSE
from spec.network import Population

CAPABILITIES = {
    "one layer": "input and one population, nothing between",
    "hidden layers": "spiking populations between input and what is read",
    "feed-forward": "no loop of connections",
    "recurrent": "connections from a population to itself, or back",
    "skip connections": "a population that is reached both directly and through another",
    "parallel connections": "several connections between the same two populations",
    "absent synapses": "weights `null`: no synapse there",
    "one pair of time constants": "tau_mem and tau_syn are the same for every neuron",
    "several time constants": "tau_mem or tau_syn differ between neurons",
    "tau_mem = tau_syn": "equal time constants in one neuron",
    "tau_mem near tau_syn": "relative difference below 1e-3, and not 0",
    "threshold other than 1": "some v_th is not 1",
    "reset other than 0": "some v_reset is not 0",
    "no delays": "all delays are 0",
    "delays in whole ms": "all delays and input times are whole ms, and not all 0: a grid of 1 ms holds them",
    "delays off the grid": "some delay, or an input time beside delays, is no whole ms",
    "delays per synapse": "delays differ within a connection",
    "delays of 0 beside others": "some delays are 0, others not",
    "max_voltage": "cross entropy of the largest voltages",
    "mean_voltage": "cross entropy of mean voltages",
    "exp_weighted_voltage": "cross entropy of exponentially weighted voltages",
    "first_spike_time": "cross entropy of first spike times",
    "spike_time_mse": "squared errors of spike times",
    "voltage of spiking neurons": "a voltage readout of a lif population",
    "missing spikes": "a target, or a first spike, that no spike meets",
    "spikes beyond the targets": "more spikes than targets",
    "silent neurons": "neurons that may spike and do not",
    "silent network": "not one spike",
    "events after the end": "input spikes or delays that reach beyond the duration",
}
"""Names of capabilities and what each means."""


def needs(one: Stored) -> tuple[str, ...]:
    """The capabilities that a case needs, in the order of `CAPABILITIES`.

    Of a silent network the gradient is 0, so it says nothing of how delays and constants are dealt with.
    """
    found = _structure(one.case) | _loss(one) | _activity(one)
    if "silent network" not in found:
        found |= _constants(one.case) | _delays(one.case)
    assert found <= set(CAPABILITIES)
    return tuple(name for name in CAPABILITIES if name in found)


def _structure(case: Case) -> set[str]:
    pairs = [(connection.source, connection.target) for connection in case.network.connections]
    inputs = {population.name for population in case.network.populations if population.kind == "input"}
    reached = {name: _reached(name, pairs) for name in {source for source, _ in pairs}}
    found = {"hidden layers" if any(a not in inputs and a != b for a, b in pairs) else "one layer"}
    found.add("recurrent" if any(name in after for name, after in reached.items()) else "feed-forward")
    if len(set(pairs)) < len(pairs):
        found.add("parallel connections")
    by_way_of = {(a, c) for a, b in pairs for c in reached.get(b, set()) if len({a, b, c}) == 3}
    if by_way_of & set(pairs):
        found.add("skip connections")
    if not all(connection.exists.all() for connection in case.network.connections):
        found.add("absent synapses")
    return found


def _reached(start: str, pairs: list[tuple[str, str]]) -> set[str]:
    """The populations that one or more connections lead to from `start`."""
    found: set[str] = set()
    border = {start}
    while border:
        border = {target for source, target in pairs if source in border} - found
        found |= border
    return found


def _receiving(case: Case) -> list[Population]:
    return [population for population in case.network.populations if population.kind != "input"]


def _constants(case: Case) -> set[str]:
    found = set()
    tau_mem, tau_syn = (
        np.concatenate([getattr(p, constant) for p in _receiving(case)]) for constant in ("tau_mem", "tau_syn")
    )
    one_pair = len(set(tau_mem)) == len(set(tau_syn)) == 1
    found.add("one pair of time constants" if one_pair else "several time constants")
    if (tau_mem == tau_syn).any():
        found.add("tau_mem = tau_syn")
    if ((tau_mem != tau_syn) & (abs(tau_mem - tau_syn) < 1e-3 * tau_mem)).any():
        found.add("tau_mem near tau_syn")
    spiking = [population for population in _receiving(case) if population.kind == "lif"]
    if any((population.v_th != 1).any() for population in spiking):
        found.add("threshold other than 1")
    if any((population.v_reset != 0).any() for population in spiking):
        found.add("reset other than 0")
    return found


def _delays(case: Case) -> set[str]:
    by_connection = [connection.d[connection.exists] for connection in case.network.connections]
    delays = np.concatenate(by_connection)
    times = np.concatenate([train for trains in case.inputs.values() for train in trains])
    found = set()
    if not delays.any():
        found.add("no delays")
    elif (delays == 0).any():
        found.add("delays of 0 beside others")
    if delays.any():
        whole = not ((delays % 1).any() or (times % 1).any())
        found.add("delays in whole ms" if whole else "delays off the grid")
    if any(len(set(d)) > 1 for d in by_connection):
        found.add("delays per synapse")
    if (times > case.duration).any() or (delays > case.duration).any():
        found.add("events after the end")
    return found


def _loss(one: Stored) -> set[str]:
    loss, spikes = one.case.loss, one.expected["spikes"][one.case.loss.population]
    if isinstance(loss, SpikeTimeMSE):
        found = {"spike_time_mse"}
        if any(len(train) < len(targets) for train, targets in zip(spikes, loss.targets, strict=True)):
            found.add("missing spikes")
        if any(len(train) > len(targets) for train, targets in zip(spikes, loss.targets, strict=True)):
            found.add("spikes beyond the targets")
        return found
    assert isinstance(loss, CrossEntropy)
    found = {loss.readout}
    if loss.readout == "first_spike_time":
        found |= {"missing spikes"} if not all(spikes) else set()
    elif one.case.network.population(loss.population).kind == "lif":
        found.add("voltage of spiking neurons")
    return found


def _activity(one: Stored) -> set[str]:
    spiking = {population.name for population in one.case.network.populations if population.kind == "lif"}
    trains = [train for name in spiking for train in one.expected["spikes"][name]]
    silent = [not train for train in trains]
    return ({"silent neurons"} if any(silent) else set()) | ({"silent network"} if all(silent) and silent else set())
