"""`delayprop export RUN`: write the network of a finished run as a case file or for NIR."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from delayprop.fast.nn.interchange import case_of, network_of
from delayprop.fast.runs.saved_runs import Run, check_classifies, opened
from delayprop.fast.training.model import Classifier
from delayprop.spec.case import save_case
from delayprop.spec.checks import whole_number
from delayprop.spec.command import OneLineParser, run_and_exit
from delayprop.spec.errors import SpecError, printable
from delayprop.spec.network import Network
from delayprop.spec.nir_graph import to_nir
from delayprop.spec.nir_nodes import library


def main(argv: Sequence[str] | None = None, prog: str = "python -m fast.export") -> int:
    """The command; returns the exit code (0; 2: no such run, no file named, or not expressible)."""
    parser = OneLineParser(prog, "Write the network of a finished run as a file.")
    parser.add_argument("run", metavar="RUN", type=Path, help="folder of a finished run (its --out)")
    parser.add_argument("--case", metavar="FILE", type=Path, help="write the network and one trial as a case file")
    parser.add_argument("--trial", type=int, default=0, help="its index in the test split (default: %(default)s)")
    parser.add_argument("--nir", metavar="FILE", type=Path, help="write a graph of NIR, in ms (pip install nir)")
    parser.add_argument("--data", nargs="+", help="the data, for --case (default: the data of the run)")
    return parser.run_writer(_export, argv)


def _export(options: argparse.Namespace) -> int:
    if options.case is None and options.nir is None:
        raise SpecError("--case", "", "is missing, and so is --nir", "name the file to write")
    if options.case is None:
        run = Run(options.run)
        check_classifies(run)
        network = run.network()
    else:
        training = opened(options.run, options.data)
        network = training.network
        test = training.data["test"]
        trial = whole_number(options.trial, "--trial", 0, len(test) - 1, "count from 0")
        spikes, labels = test.batch(np.array([trial]), training.duration)
        if network.gain != 1:  # a case has no gain: equal spikes and readouts, another loss
            print(f"the run's loss takes {network.gain} times the readout, that of the case the readout")
        time_scale, margin = network.of_first_spikes
        case = case_of(network.layers, spikes, 0, int(labels[0]), time_scale=time_scale, margin=margin)
        save_case(case, options.case)
        read, loss = training.settings.readout, training.settings.loss.replace("_", " ")
        content = f"test trial {trial}, {len(spikes.times)} spikes; {read}, label {int(labels[0])}, {loss}"
        print(printable(f"{options.case}: {_sizes(case.network)}; {content}"))
    if options.nir is not None:
        assert isinstance(network, Classifier), "of a run that classifies"
        graph = network_of(network.layers)
        library().write(options.nir, to_nir(graph))
        print(printable(f"{options.nir}: {_sizes(graph)}; times in ms, no trial and no loss"))
    return 0


def _sizes(network: Network) -> str:
    """The populations of a network with their sizes, in words."""
    return "populations " + ", ".join(f"{one.name} ({one.size} {one.kind})" for one in network.populations)


if __name__ == "__main__":
    run_and_exit(main)
