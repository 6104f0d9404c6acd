"""The data that every implementation takes and returns: networks, spike trains, losses, results.

`SPECIFICATION.md` beside this file states the rules. The types are frozen and check themselves when
they are built, so every implementation refuses the same input with the same message. This package
holds no dynamics, no derivative and no randomness.
"""

from delayprop.spec.case import Case, case_from_text, case_to_dict, load_case, save_case
from delayprop.spec.errors import SpecError, UnsupportedError
from delayprop.spec.losses import CrossEntropy, Loss, RelativeSpikeTimeMSE, SpikeTimeMSE, VoltageMSE
from delayprop.spec.network import Connection, Network
from delayprop.spec.neuron import NEURONS, Neuron, load_neuron
from delayprop.spec.population import Population
from delayprop.spec.readouts import READOUTS, VOLTAGE_READOUTS
from delayprop.spec.results import ConnectionGradient, Gradients, Result, Tie
from delayprop.spec.spikes import SpikeTrains
from delayprop.spec.state import State, StateGradient, UnderWay

__all__ = [
    "NEURONS", "READOUTS", "VOLTAGE_READOUTS", "Case", "Connection", "ConnectionGradient", "CrossEntropy", "Gradients",
    "Loss", "Network", "Neuron", "Population", "RelativeSpikeTimeMSE", "Result", "SpecError", "SpikeTimeMSE",
    "SpikeTrains", "State", "StateGradient", "Tie", "UnderWay", "UnsupportedError", "VoltageMSE", "case_from_text",
    "case_to_dict", "load_case", "load_neuron", "save_case",
]
