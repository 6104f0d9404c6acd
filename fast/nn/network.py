"""A network of the specification as a torch module: any graph of populations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from delayprop.fast.nn.autograd import Record, propagate_neurons
from delayprop.fast.nn.constants import Neurons, constants_text
from delayprop.fast.nn.graph import Group, arrival_states, groups, matrix
from delayprop.fast.nn.joining import check_spikes, joined
from delayprop.fast.nn.layer_checks import warn_of_seconds
from delayprop.fast.nn.samples import sample_times, sampled, within_trial
from delayprop.fast.nn.spikes import Spikes
from delayprop.spec import VOLTAGE_READOUTS, Connection, Population, SpecError
from delayprop.spec import Network as NetworkSpec
from delayprop.spec.checks import of_type, one_of, sequence
from delayprop.spec.errors import UnsupportedError, Verbatim
from delayprop.spec.neuron import LI, LIF, Neuron
from delayprop.spec.readouts import SAMPLES


@dataclass(frozen=True, eq=False)
class Activity:
    """The result of a forward pass.

    Attributes:
        spikes, records: of every population but the inputs, by name.
        y: the readout, `[trials, size]`, of samples `[trials, size, times]`; None without `read`.
    """

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


class _Constants(Neurons):
    def __init__(self, population: Population, dtype: torch.dtype) -> None:
        super().__init__()
        self._register(population, dtype)


class Network(nn.Module):
    """The network that a `delayprop.NetworkSpec` describes, recurrent or not.

    Args:
        network: its weights, delays and constants become the parameters.
        dtype: float32 or float64.

    Attributes:
        groups: the populations in the order of simulation; populations that reach each other form
            one group.
        synapses: one module per connection, with `w` and `d` (ms) `[pre, post]`, learned, and the
            mask `exists`.
        constants: one module per population, with its constants by name, such as `tau_mem`
            `[size]`; learned after `requires_grad_()`.

    Raises:
        UnsupportedError: the populations of a loop have different equations.
    """

    def __init__(self, network: NetworkSpec, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        remedy = "`network_of([layer])` makes one of layers, `NetworkSpec(populations, connections)` of populations"
        of_type(network, "network", NetworkSpec, "a `delayprop.NetworkSpec`", remedy)
        self.network = network
        self.dtype = dtype
        self._is_new = True  # until the first trials
        self.groups = groups(network)
        self._into = [arrival_states(network, group) for group in self.groups]
        self._inputs = {one.name: one.size for one in network.populations if one.kind == "input"}
        self._simulated = [one.name for one in network.populations if one.kind != "input"]
        synapses = nn.ModuleList(_Synapses(connection, dtype) for connection in network.connections)
        constants = nn.ModuleList(_Constants(population, dtype) for population in network.populations)
        # A type checker sees bare modules in a ModuleList, without their attributes.
        self.synapses = cast("Sequence[_Synapses]", synapses)
        self.constants = cast("Sequence[_Constants]", constants)
        for group in self.groups:
            self._neurons(group)  # refuses a loop of different equations

    def forward(
        self, inputs: Spikes | Mapping[str, Spikes], read: str | tuple[str, str | Sequence[float]] | None = None
    ) -> Activity:
        """Simulate the network.

        Args:
            inputs: the spikes of the input population; of several, by their names, all of equal
                trials and duration.
            read: the population to read, by its `max_voltage`; or with another voltage readout,
                such as `("out", "mean_voltage")`; or by its voltage at times in order, ms, such as
                `("out", [5.0, 10.0])`.

        Raises:
            SpecError: an input is missing or has another size; no such population or readout.
            SpecError, UnsupportedError, ArithmeticError: as `propagate_neurons`.
        """
        if not isinstance(inputs, Mapping):
            inputs = self._by_name(inputs)
        if isinstance(read, str):
            one_of(read, "read", self._simulated)
            read = read, "max_voltage"
        self._check(inputs, read)
        at = None if read is None or isinstance(read[1], str) else sample_times(read[1])
        spikes, records, y = dict(inputs), {}, None
        any_input = next(iter(inputs.values()))
        for group, into in zip(self.groups, self._into, strict=True):
            members = [self.network.populations[p] for p in group.members]
            arriving, w, d, exists = self._onto(group, spikes, any_input)
            asked = [read is not None and read[0] == population.name for population in members]
            emitted, found, record = propagate_neurons(
                arriving, w, d, *self._neurons(group), exists=exists, into=into, recurrent=bool(group.inside),
                readout=read[1] if read is not None and any(asked) and isinstance(read[1], str) else None,
            )
            if at is not None and any(asked):
                found = self._sampled(group, at, arriving, w * exists, d, emitted)
            sizes = [population.size for population in members]
            parts = zip(members, emitted.split(sizes), record.split(sizes, emitted.counts()), strict=True)
            for population, its_spikes, its_record in parts:
                spikes[population.name], records[population.name] = its_spikes, its_record
            if found is not None:
                y = found.split(sizes, dim=1)[asked.index(True)]
        if self._is_new:
            self._is_new = False
            warn_of_seconds([connection.d for connection in self.synapses], any_input.duration)
        return Activity({name: s for name, s in spikes.items() if name not in inputs}, records, y)

    def _onto(
        self, group: Group, spikes: Mapping[str, Spikes], any_input: Spikes
    ) -> tuple[Spikes, Tensor, Tensor, Tensor]:
        """The spikes from outside a group, and `w`, `d`, `exists` of all synapses onto it."""
        connections = (*group.outside, *(c for layer in group.inside for c in layer))
        if connections:
            w, d, exists = (
                matrix(self.network, group, {c: getattr(self.synapses[c], name) for c in connections})
                for name in ("w", "d", "exists")
            )
        else:
            sizes = [self.network.populations[p].size for p in group.members]
            w = d = exists = torch.zeros(0, sum(sizes), dtype=self.dtype, device=any_input.device)
        if group.outside:
            arriving = joined([spikes[self.network.connections[c].source] for c in group.outside])
            return arriving, w, d, exists.bool()
        trials = any_input.trials
        none, offsets = any_input.times[:0], any_input.offsets.new_zeros(trials + 1)
        silent_neuron = Spikes(none, offsets, trials, 1, any_input.duration)
        row = w.new_zeros(1, w.shape[1])  # its synapses, which do not exist
        return silent_neuron, torch.cat([row, w]), torch.cat([row, d]), torch.cat([row, exists]).bool()

    def _sampled(
        self, group: Group, times: Sequence[float], arriving: Spikes, w: Tensor, d: Tensor, emitted: Spikes
    ) -> Tensor:
        """The voltages of a group at given times; arguments as `sampled`, own spikes among the
        sources if the group is recurrent."""
        neuron, constants = self._neurons(group)
        if neuron not in (LIF, LI):
            got = Verbatim("neurons given by other equations")
            raise UnsupportedError("read[1]", "of LIF or LI neurons", got, "let an LI layer read their spikes")
        copies = (len(w) - arriving.size) // w.shape[1]
        sources = joined([arriving, *[emitted] * copies])
        own = emitted if neuron == LIF else None
        return sampled(times, sources, w, d, constants, own).to(w.dtype)

    def _neurons(self, group: Group) -> tuple[Neuron, dict[str, Tensor]]:
        """The equations of a group, and its constants."""
        neurons = [self.constants[p] for p in group.members]
        equations = neurons[0].equations
        assert equations is not None, "a group has no inputs"
        if any(own.equations != equations for own in neurons):
            names = ", ".join(self.network.populations[p].name for p in group.members)
            expected, remedy = "the same in all populations of a loop", "`python -m reference` runs such a loop"
            raise UnsupportedError("neuron", expected, Verbatim(f"different ones in {names}"), remedy)
        return equations, {name: torch.cat([own.constants[name] for own in neurons]) for name in neurons[0].constants}

    def __repr__(self) -> str:
        lines = []
        for population, constants in zip(self.network.populations, self.constants, strict=True):
            text = constants_text(constants)
            lines.append(f"  {population.name}: {population.size} {population.kind}{text and f', {text}'}")
        for connection in self.network.connections:
            count = f"{connection.exists.sum()} of {connection.exists.size}"
            into = f" at {connection.into}" if connection.into else ""
            lines.append(f"  {connection.source} -> {connection.target}{into}: {count} synapses")
        return "\n".join(["Network(", *lines, ")"])

    def _by_name(self, spikes: Spikes) -> dict[str, Spikes]:
        """The spikes of the only input population; a network without one takes any spikes."""
        check_spikes(spikes, "inputs")
        if len(self._inputs) > 1:
            expected, got = f"a dict with the spikes of {', '.join(self._inputs)}", Verbatim("one `Spikes`")
            raise SpecError("inputs", expected, got, "give the spikes of each input population by its name")
        return {next(iter(self._inputs), ""): spikes}

    def _check(self, inputs: Mapping[str, Spikes], read: tuple[str, str | Sequence[float]] | None) -> None:
        for name, spikes in inputs.items():
            check_spikes(spikes, f"inputs.{name}")
            if self._inputs:
                one_of(name, f"inputs.{name}", tuple(self._inputs))
        if not inputs:
            expected, remedy = "the spikes of at least one trial", "give them, even if all are silent"
            raise SpecError("inputs", expected, Verbatim("nothing"), remedy)
        for name, size in self._inputs.items():
            if name not in inputs:
                raise SpecError(f"inputs.{name}", "given", Verbatim("nothing"), "give spikes, even if all are silent")
            if (got := inputs[name].size) != size:
                raise SpecError(f"inputs.{name}", f"spikes of {size} neurons", got, "give one train per neuron")
        first = next(iter(inputs.values()))
        for name, spikes in inputs.items():
            if (spikes.trials, spikes.duration) != (first.trials, first.duration):
                expected = f"of {first.trials} trials of {first.duration} ms, as the other inputs"
                found = Verbatim(f"{spikes.trials} trials of {spikes.duration} ms")
                raise SpecError(f"inputs.{name}", expected, found, "all inputs share their trials")
        if read is not None:
            if len(sequence(read, "read", None, "a population and its readout")) != 2:
                raise SpecError("read", "a population and its readout", read, "or give the population's name alone")
            one_of(read[0], "read[0]", self._simulated)
            if isinstance(read[1], str):
                if read[1] == SAMPLES.name:
                    raise SpecError("read[1]", "the times of the samples (ms)", read[1], "give a list, such as `[5.0]`")
                one_of(read[1], "read[1]", VOLTAGE_READOUTS)
            else:
                within_trial(sample_times(read[1], "read[1]"), first.duration, "read[1]")
