"""Losses by name; each implementation computes and differentiates them on its own."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from delayprop.spec import checks
from delayprop.spec.errors import SpecError, Verbatim, placed
from delayprop.spec.network import Network
from delayprop.spec.population import Population
from delayprop.spec.readouts import FIRST_SPIKE_TIME, MAX_VOLTAGE, READOUT_BY_NAME, READOUTS, SAMPLES, Readout
from delayprop.spec.spikes import SpikeTrains, times_in_order


@dataclass(frozen=True)
class CrossEntropy:
    """`-log softmax(y)[label]` of the readout `y` of one population.

    Args:
        readout: one of `READOUTS`.
        population: the population that is read.
        label: index of the right neuron.
        time_scale: ms, for `first_spike_time` alone: `y_j = -t_first,j / time_scale`.

    Raises:
        SpecError: an unknown readout; a label or time scale out of range.
    """

    kind: ClassVar[str] = "cross_entropy"

    readout: str
    population: str
    label: int
    time_scale: float | None = None

    def __post_init__(self) -> None:
        checks.one_of(self.readout, "readout", READOUTS)
        checks.text(self.population, "population")
        checks.whole_number(self.label, "label", 0, checks.MAX_SIZE, "give the index of a neuron")
        if self.reads == FIRST_SPIKE_TIME:
            object.__setattr__(self, "time_scale", checks.positive_number(self.time_scale, "time_scale", "ms"))
        elif self.time_scale is not None:
            raise SpecError("time_scale", f"absent with `{self.readout}`", self.time_scale, "remove it")

    @property
    def reads(self) -> Readout:
        return READOUT_BY_NAME[self.readout]


@dataclass(frozen=True, eq=False)
class SpikeTimeMSE:
    """`1/2 sum_k (t_k - target_k)^2`, summed over the neurons of one population.

    Args:
        population: the population whose spikes are compared with the targets.
        targets: one list of target times (ms, in order) per neuron, else `SpecError`; later spikes
            are free.
    """

    kind: ClassVar[str] = "spike_time_mse"
    reads: ClassVar[None] = None  # spike times themselves

    population: str
    targets: SpikeTrains

    def __post_init__(self) -> None:
        checks.text(self.population, "population")
        if not isinstance(self.targets, SpikeTrains):
            with placed("targets", {"trains": ""}):
                object.__setattr__(self, "targets", SpikeTrains(self.targets))


@dataclass(frozen=True)
class RelativeSpikeTimeMSE:
    """`1/2 sum_j (t_j - t_label - margin)^2` over the other neurons `j`, of first spike times.

    Each other neuron of the population should spike first `margin` ms after the right one. A silent
    neuron has the time `T`, with gradient 0.

    Args:
        population: the population whose first spikes are read.
        label: index of the right neuron.
        margin: ms, at least 0.

    Raises:
        SpecError: a label or margin out of range.
    """

    kind: ClassVar[str] = "relative_spike_time_mse"
    reads: ClassVar[None] = None

    population: str
    label: int
    margin: float

    def __post_init__(self) -> None:
        checks.text(self.population, "population")
        checks.whole_number(self.label, "label", 0, checks.MAX_SIZE, "give the index of a neuron")
        object.__setattr__(self, "margin", checks.non_negative_time(self.margin, "margin"))


@dataclass(frozen=True, eq=False)
class VoltageMSE:
    """`1/2 sum_j sum_k (V_j(s_k) - target_jk)^2`, of the voltages of one population at given times.

    Args:
        population: the population whose voltage is read, the first state of its neurons.
        times: the `s_k`, ms, in order, at most the duration of the case.
        targets: of each neuron, one voltage per time.

    Attributes:
        times, targets: read-only float64 arrays, `[times]` and `[neurons, times]`.

    Raises:
        SpecError: times that are negative, not finite or not in order; no list of targets of as
            many finite numbers per neuron.
    """

    kind: ClassVar[str] = "voltage_mse"
    reads: ClassVar[Readout] = SAMPLES

    population: str
    times: Any
    targets: Any

    def __post_init__(self) -> None:
        checks.text(self.population, "population")
        times, targets = times_in_order(self.times, "times", "times"), []
        for j, row in enumerate(checks.sequence(self.targets, "targets", None, "lists of voltages, one per neuron")):
            numbers = checks.sequence(row, f"targets[{j}]", len(times), "time")
            targets.append([checks.finite_number(V, f"targets[{j}][{k}]") for k, V in enumerate(numbers)])
        object.__setattr__(self, "times", times)
        object.__setattr__(self, "targets", checks.frozen(np.array(targets).reshape(len(targets), len(times))))


Loss = CrossEntropy | SpikeTimeMSE | RelativeSpikeTimeMSE | VoltageMSE
LOSSES: dict[str, type[Loss]] = {
    one.kind: one for one in (CrossEntropy, SpikeTimeMSE, RelativeSpikeTimeMSE, VoltageMSE)
}
"""The losses by their names in case files."""


def check_loss(loss: Loss, network: Network, duration: float) -> None:
    """Refuse a loss that does not fit the network: an unknown population, spikes read from a
    population that has none, a label or a number of target lists that does not fit, a time after
    the end."""
    names = [population.name for population in network.populations if population.kind != "input"]
    checks.one_of(loss.population, "population", names)
    population = network.population(loss.population)
    if not (loss.reads and loss.reads.of_voltage) and not population.spikes:
        expected = f"the name of a population that spikes with `{loss.reads.name if loss.reads else loss.kind}`"
        raise SpecError("population", expected, loss.population, "read a population that spikes")
    if loss.reads == MAX_VOLTAGE:
        _check_maximum(population)
    if isinstance(loss, VoltageMSE):
        expected = f"at most the duration, {duration} (ms)"
        checks.refuse(loss.times > duration, loss.times, "times", expected, "the trial ends there")
    if isinstance(loss, CrossEntropy | RelativeSpikeTimeMSE):
        remedy = f"`{population.name}` has {population.size} neurons"
        checks.whole_number(loss.label, "label", 0, population.size - 1, remedy)
    elif len(loss.targets) != population.size:
        expected = f"a list of {population.size}, one for each neuron"
        raise SpecError("targets", expected, Verbatim(f"a list of {len(loss.targets)}"), "add or remove entries")


def _check_maximum(population: Population) -> None:
    """Refuse neurons whose largest voltage is at no turn, no arrival, no threshold and no end."""
    neuron, remedy = population.equations, "read `mean_voltage`, or spikes"
    voltage = neuron.states[0]
    if voltage in neuron.arrivals:
        raise SpecError("readout", "", f"cannot be a maximum of `{voltage}`, which jumps at arrivals", remedy)
    if neuron.spike is not None and neuron.level != (voltage,):
        got = f"cannot be a maximum of `{voltage}`, since the level of a spike has other states"
        raise SpecError("readout", "", got, remedy)
    for j in range(population.size if population.kind == "neuron" and neuron.spike is not None else 0):
        if neuron.matrices({name: float(values[j]) for name, values in population.values.items()}).c[0] <= 0:
            got = f"cannot be a maximum of `{voltage}`: the level of neuron {j} falls as it rises"
            raise SpecError("readout", "", got, remedy)
