"""A whole network of the specification as a torch module: any feed-forward graph of populations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from fast.propagate import Record, propagate
from fast.spikes import Spikes, joined
from spec import VOLTAGE_READOUTS, Connection, Population, SpecError, UnsupportedError
from spec import Network as NetworkSpec
from spec.checks import one_of
from spec.errors import Verbatim


@dataclass(frozen=True, eq=False)
class Activity:
    """What a network did: spikes and record of every population that is no input, and the readout asked for."""

    spikes: Mapping[str, Spikes]
    records: Mapping[str, Record]
    y: Tensor | None


class _Synapses(nn.Module):
    exists: Tensor

    def __init__(self, connection: Connection, dtype: torch.dtype) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor(connection.w, dtype=dtype))
        self.d = nn.Parameter(torch.tensor(connection.d, dtype=dtype))
        self.register_buffer("exists", torch.tensor(connection.exists))


class _Constants(nn.Module):
    tau_mem: nn.Parameter | None
    tau_syn: nn.Parameter | None
    v_th: nn.Parameter | None
    v_reset: nn.Parameter | None

    def __init__(self, population: Population, dtype: torch.dtype) -> None:
        super().__init__()
        for name in ("tau_mem", "tau_syn", "v_th", "v_reset"):
            values: np.ndarray | None = getattr(population, name)
            constant = None if values is None else nn.Parameter(torch.tensor(values, dtype=dtype), requires_grad=False)
            self.register_parameter(name, constant)


class Network(nn.Module):
    """The network that a `spec.Network` describes; parameters in the order of its connections and populations.

    Attributes:
        synapses: one module a connection, with `w` and `d` `[pre, post]` and the mask `exists`.
        constants: one module a population, with `tau_mem`, `tau_syn`, `v_th`, `v_reset` `[size]` (absent: None); they
            are learned after `requires_grad_()`.

    Raises:
        UnsupportedError: populations that form a loop.
    """

    def __init__(self, network: NetworkSpec, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.network = network
        self.order = _feed_forward_order(network)
        synapses = nn.ModuleList(_Synapses(connection, dtype) for connection in network.connections)
        constants = nn.ModuleList(_Constants(population, dtype) for population in network.populations)
        # To a type checker a ModuleList holds bare modules, without the attributes of these.
        self.synapses = cast("Sequence[_Synapses]", synapses)
        self.constants = cast("Sequence[_Constants]", constants)

    def forward(self, inputs: Mapping[str, Spikes], read: tuple[str, str] | None = None) -> Activity:
        """Run the network.

        Args:
            inputs: spikes of every input population, of the same trials.
            read: a population and its voltage readout.

        Raises:
            SpecError: an input missing or of the wrong size, a population or readout that does not exist.
        """
        self._check(inputs, read)
        spikes, records, y = dict(inputs), {}, None
        any_input = next(iter(inputs.values()))
        for p in self.order:
            population, constants = self.network.populations[p], self.constants[p]
            assert constants.tau_mem is not None and constants.tau_syn is not None, "`order` leaves the inputs out"
            number_of = [c for c, link in enumerate(self.network.connections) if link.target == population.name]
            readout = read[1] if read and read[0] == population.name else None
            if number_of:
                arriving = joined([spikes[self.network.connections[c].source] for c in number_of])
                w, d, exists = (
                    torch.cat([getattr(self.synapses[c], name) for c in number_of]) for name in ("w", "d", "exists")
                )
            else:
                arriving = _silence(any_input)
                w = d = constants.tau_mem.new_zeros(1, population.size)
                exists = torch.zeros(1, population.size, dtype=torch.bool)
            emitted, found, records[population.name] = propagate(
                arriving, w, d, constants.tau_mem, constants.tau_syn, constants.v_th, constants.v_reset,
                exists=exists, readout=readout,
            )  # fmt: skip
            spikes[population.name] = emitted
            y = found if readout else y
        return Activity({name: s for name, s in spikes.items() if name not in inputs}, records, y)

    def _check(self, inputs: Mapping[str, Spikes], read: tuple[str, str] | None) -> None:
        names = [population.name for population in self.network.populations if population.kind == "input"]
        for name in inputs:
            if name not in names and names:
                one_of(name, f"inputs.{name}", names)
        if not inputs:
            expected, remedy = "the spikes of some trials", "give them, even if all are silent"
            raise SpecError("inputs", expected, Verbatim("nothing"), remedy)
        for population in self.network.populations:
            if population.kind != "input":
                continue
            name = f"inputs.{population.name}"
            if population.name not in inputs:
                raise SpecError(name, "given", Verbatim("nothing"), "give spikes, even if all are silent")
            if inputs[population.name].size != population.size:
                expected = f"spikes of {population.size} neurons"
                raise SpecError(name, expected, inputs[population.name].size, "one train a neuron")
        first = next(iter(inputs.values()))
        for key, spikes in inputs.items():
            if (spikes.trials, spikes.duration) != (first.trials, first.duration):
                expected = f"of {first.trials} trials of {first.duration} ms, as the other inputs"
                got = Verbatim(f"{spikes.trials} trials of {spikes.duration} ms")
                raise SpecError(f"inputs.{key}", expected, got, "all inputs share their trials")
        if read is not None:
            one_of(read[0], "read[0]", [self.network.populations[p].name for p in self.order])
            one_of(read[1], "read[1]", VOLTAGE_READOUTS)


def _silence(like: Spikes) -> Spikes:
    """One silent neuron, in the trials of `like`."""
    return Spikes(like.times[:0], torch.zeros(like.trials + 1, dtype=torch.int64), like.trials, 1, like.duration)


def _feed_forward_order(network: NetworkSpec) -> list[int]:
    """Populations that are no inputs, each after all its sources."""
    names = [population.name for population in network.populations]
    done = {population.name for population in network.populations if population.kind == "input"}
    waiting = [p for p, population in enumerate(network.populations) if population.name not in done]
    order: list[int] = []
    while waiting:
        ready = [p for p in waiting if all(c.source in done for c in network.connections if c.target == names[p])]
        if not ready:
            got = Verbatim("a loop among " + ", ".join(names[p] for p in waiting))
            remedy = "recurrent networks run in `python -m reference`"
            raise UnsupportedError("connections", "feed-forward for `fast`", got, remedy)
        order += ready
        done.update(names[p] for p in ready)
        waiting = [p for p in waiting if p not in ready]
    return order
