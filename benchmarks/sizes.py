"""The options of a workload: sizes, precision and device, with the defaults of each workload."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass

from delayprop.fast.nn.devices import DTYPES, check_device
from delayprop.fast.nn.synaptic_layer import LEAST_RECURRENT_DELAY
from delayprop.fast.nn.wiring import DELAYS
from delayprop.spec import SpecError
from delayprop.spec.checks import duration, non_negative_time, one_of, whole_number
from delayprop.spec.errors import Verbatim

MANY = 1_000_000_000
WORKLOADS = ("shd-like", "yin-yang", "recurrent")


@dataclass(frozen=True)
class Sizes:
    """One configuration of one workload; `OPTIONS` has the meaning and unit of each size.
    `SpecError`: a size is out of range; `UnsupportedError`: `fast` does not run on the device."""

    workload: str
    batch: int
    inputs: int
    spikes: int
    duration: float
    hidden: int
    max_delay: float
    dtype: str = "float32"
    device: str = "cpu"
    delays: str = "synaptic"
    outputs: int = 20
    layers: int = 1  # hidden layers
    w_mean: float | None = None  # mean weight onto the first; None: `workloads.build` searches for it
    seed: int = 0  # of inputs, weights and delays

    def __post_init__(self) -> None:
        for name in ("batch", "inputs", "hidden", "outputs", "layers"):
            whole_number(getattr(self, name), f"--{name}", 1, 10_000_000, "give a positive number")
        whole_number(self.spikes, "--spikes", 1, MANY, "give the number of input spikes per trial")
        duration(self.duration, "--duration")
        non_negative_time(self.max_delay, "--max-delay")
        if self.workload == "recurrent" and self.max_delay < LEAST_RECURRENT_DELAY:
            expected = f"at least {LEAST_RECURRENT_DELAY} (ms) for recurrent"
            raise SpecError("--max-delay", expected, self.max_delay, "a loop must take time")
        one_of(self.delays, "--delays", DELAYS)
        check_device(self.device)


DEFAULTS = {
    "shd-like": Sizes("shd-like", 32, 700, 8000, 1000.0, 256, 100.0, w_mean=0.026),
    "yin-yang": Sizes("yin-yang", 150, 5, 5, 40.0, 30, 10.0, outputs=3, w_mean=3.0),
    "recurrent": Sizes("recurrent", 32, 700, 8000, 1000.0, 256, 100.0, w_mean=0.026),
}
DRIVE = ("inputs", "spikes", "duration", "hidden", "max_delay")
"""Sizes that change how often hidden neurons spike; those of yin-yang need no fixed rate."""

OPTIONS: dict[str, tuple[Callable[[str], object], str]] = {
    "batch": (int, "trials per step"),
    "inputs": (int, "input neurons"),
    "spikes": (int, "input spikes per trial"),
    "duration": (float, "length of a trial, ms"),
    "hidden": (int, "hidden neurons"),
    "max_delay": (float, "delays are drawn from 0 to this, ms"),
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of a configuration; each defaults to the value of the workload."""
    parser.add_argument("--workload", choices=WORKLOADS, required=True, help="which network and input to run")
    for name, (kind, help_) in OPTIONS.items():
        parser.add_argument("--" + name.replace("_", "-"), type=kind, help=help_)
    parser.add_argument("--delays", choices=DELAYS, help="of hidden neurons (default: synaptic)")
    parser.add_argument("--dtype", choices=tuple(DTYPES), help="precision (default: float32)")
    parser.add_argument("--device", choices=("cpu", "cuda"), help="where to run (default: cpu)")


def sizes_of(options: argparse.Namespace) -> Sizes:
    """The configuration that the options describe; `SpecError`: one that the workload lacks."""
    default = DEFAULTS[options.workload]
    asked = (*OPTIONS, "delays", "dtype", "device")
    chosen = {name: value for name in asked if (value := getattr(options, name)) is not None}
    if options.workload == "yin-yang":
        for name in ("inputs", "spikes"):
            if name in chosen:
                remedy = "four coordinates and a bias are the task"
                raise SpecError(f"--{name}", "left out for yin-yang", Verbatim(chosen[name]), remedy)
    given = {**vars(default), **chosen}
    if options.workload != "yin-yang" and any(given[name] != getattr(default, name) for name in DRIVE):
        given["w_mean"] = None
    return Sizes(**given)
