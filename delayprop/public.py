"""The public names of delayprop, from the packages that define them.

`Network` is the torch module; the network of the specification, `spec.Network`, is `NetworkSpec`.
"""

# ruff: noqa: F403, F405  # all names of `fast` are public

from delayprop.fast import *
from delayprop.fast.data.collating import collate
from delayprop.fast.data.spike_files import write_spike_file
from delayprop.fast.drawing import draw
from delayprop.fast.nn.autograd import Record
from delayprop.fast.nn.certificate import Residuals, residuals, watched
from delayprop.fast.nn.interchange import case_of, network_of
from delayprop.fast.nn.loading import load_into
from delayprop.fast.nn.network import Activity
from delayprop.fast.nn.spiking_layer import SilentLayerWarning
from delayprop.fast.nn.traces import membrane_traces
from delayprop.fast.run import run_case
from delayprop.fast.runs.saved_runs import Run
from delayprop.fast.train import train
from delayprop.fast.training.activity import spike_count_penalty, wake_
from delayprop.fast.training.evaluation import confusion_matrix, plot_confusion
from delayprop.spec.case import Case, case_from_text, case_to_dict, load_case, save_case
from delayprop.spec.conformance import check
from delayprop.spec.errors import SpecError, UnsupportedError
from delayprop.spec.losses import CrossEntropy, Loss, RelativeSpikeTimeMSE, SpikeTimeMSE, VoltageMSE
from delayprop.spec.network import Connection
from delayprop.spec.network import Network as NetworkSpec
from delayprop.spec.neuron import NEURONS, Neuron, load_neuron
from delayprop.spec.nir_graph import from_nir, to_nir
from delayprop.spec.population import Population
from delayprop.spec.readouts import READOUTS, VOLTAGE_READOUTS
from delayprop.spec.results import ConnectionGradient, Gradients, Result, Tie
from delayprop.spec.spikes import SpikeTrains
from delayprop.spec.state import State, StateGradient, UnderWay

__all__ = [
    "ALIF", "LI", "LIF", "NEURONS", "READOUTS", "VOLTAGE_READOUTS", "Activity", "AdLIF", "Case", "Connection",
    "ConnectionGradient", "CrossEntropy", "CrossEntropyLoss", "FirstSpikeTime", "Gradients", "LayerState",
    "Loss", "Network", "NetworkSpec", "Neuron", "Population", "Record", "RelativeSpikeTimeMSE",
    "RelativeSpikeTimeMSELoss", "Residuals", "Result", "Run", "SilentLayerWarning", "SpecError",
    "SpikeTimeMSE", "SpikeTimeMSELoss", "SpikeTrains", "Spikes", "Spiking", "State", "StateGradient", "Tie", "UnderWay",
    "UnsupportedError", "VoltageMSE", "case_from_text", "case_of", "case_to_dict", "check", "collate",
    "confusion_matrix", "cross_entropy", "draw", "first_spike_time", "from_nir", "joined", "load_case", "load_into",
    "load_neuron", "membrane_traces", "network_of", "param_groups", "plot_confusion", "project_", "propagate",
    "propagate_neurons", "propagate_on", "relative_spike_time_mse", "residuals", "run_case", "save_case",
    "spike_count_penalty", "spike_time_mse", "to_nir", "train", "wake_", "watched", "write_spike_file",
]
