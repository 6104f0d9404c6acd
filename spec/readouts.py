"""Readouts as data: what of a population is read. Each implementation computes them on its own."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Readout:
    """One number per neuron of a population, or one per time (`SPECIFICATION.md`, section 2).

    Attributes:
        name: as case files, layers and options have it.
        of_voltage: whether it reads the voltage, the first state; else spike times.
        rate: of an integral of the voltage, whose weight is `exp(-rate t / T)`; None: no integral.
    """

    name: str
    of_voltage: bool
    rate: float | None = None


MAX_VOLTAGE = Readout("max_voltage", of_voltage=True)
MEAN_VOLTAGE = Readout("mean_voltage", of_voltage=True, rate=0.0)
EXP_WEIGHTED_VOLTAGE = Readout("exp_weighted_voltage", of_voltage=True, rate=1.0)
FIRST_SPIKE_TIME = Readout("first_spike_time", of_voltage=False)
SAMPLES = Readout("samples", of_voltage=True)
"""The voltage at given times: one number per neuron and time, so a loss of its own reads it."""

READOUT_BY_NAME = {one.name: one for one in (MAX_VOLTAGE, MEAN_VOLTAGE, EXP_WEIGHTED_VOLTAGE, FIRST_SPIKE_TIME)}
READOUTS = tuple(READOUT_BY_NAME)
VOLTAGE_READOUTS = tuple(name for name, one in READOUT_BY_NAME.items() if one.of_voltage)
