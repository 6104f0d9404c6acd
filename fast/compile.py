"""`delayprop compile`: compile the kernels that networks need, before a run waits for them."""

import argparse
from collections.abc import Sequence
from itertools import product
from time import perf_counter

import torch

from delayprop.fast.compiling.caching import writable_folder
from delayprop.fast.nn.devices import DEVICES, DTYPES, check_device
from delayprop.fast.nn.spikes import Spikes
from delayprop.fast.training.hidden_neurons import NAMED, constant_words, neuron_text
from delayprop.fast.training.model import Classifier
from delayprop.fast.training.optimiser import Optimiser
from delayprop.fast.training.settings import Settings
from delayprop.spec.command import OneLineParser, run_and_exit
from delayprop.spec.errors import SpecError


def main(argv: Sequence[str] | None = None, prog: str = "python -m fast.compile") -> int:
    """The command; returns the exit code (0; 2: bad options, or a device that is missing)."""
    parser = OneLineParser(
        prog, "Compile the kernels of networks before a run needs them, in both precisions: --certify compares "
        "float32 with float64. Sizes, delays, masks and values of constants need no kernels of their own."
    )
    add = parser.add_argument
    add("--neuron", nargs="+", default=["lif"], help=f"{', '.join(NAMED)}, or JSON files of equations (default: lif)")
    add("--constants", nargs="*", default=[], help="constants of the neuron of one file, as NAME=NUMBER")
    add("--recurrent", action="store_true", help="also recurrent layers")
    add("--learn-constants", action="store_true", help="also networks that learn their time constants")
    add("--device", choices=DEVICES, default="cpu", help="device that computes (default: %(default)s)")
    return parser.run(_compile, argv)


def _compile(options: argparse.Namespace) -> int:
    check_device(options.device)
    if options.constants and len(options.neuron) > 1:
        raise SpecError("--constants", "left out with several neurons", options.constants, "compile one at a time")
    neurons, constants = {name: neuron_text(name) for name in options.neuron}, constant_words(options.constants)
    loops, learns = [False, True][: 1 + options.recurrent], [False, True][: 1 + options.learn_constants]
    networks: dict[str, tuple[Settings, Classifier]] = {}  # all are made, and so checked, before one compiles
    for name, dtype, looped, learn in product(neurons, DTYPES, loops, learns):
        settings = Settings(
            hidden=(2,), neuron=neurons[name], constants=tuple(constants), recurrent=looped, learn_constants=learn,
            w_mean=5.0,
        )
        words = f"{name}, {dtype}{', recurrent' * looped}{', with learned time constants' * learn}"
        networks[words] = settings, Classifier(2, 2, settings, DTYPES[dtype], seed=0)
    for number, (words, (settings, network)) in enumerate(networks.items(), start=1):
        print(f"{number} of {len(networks)}: {words}", flush=True)
        start = perf_counter()
        _step(network, settings, options.device)
        print(f"  {perf_counter() - start:.1f} s", flush=True)
    print(f"kernels are kept in {folder}" if (folder := writable_folder()) else "kernels are not kept")
    return 0


def _step(network: Classifier, settings: Settings, device: str) -> None:
    """One training step: each kernel of the network runs once."""
    Optimiser(network, settings, 1, 1)  # freezes what does not learn
    spikes = Spikes.from_trains([[[1.0], [2.0]]], duration=200.0)
    y, _ = network.to(device)(spikes.to(device))
    network.loss(y, torch.zeros(1, dtype=torch.int64, device=device)).backward()


if __name__ == "__main__":
    run_and_exit(main)
