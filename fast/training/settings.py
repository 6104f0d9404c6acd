"""The settings of a classification, typed, in one place; a task gives one for each preset, the command line the rest.

A field is an option of the same name (`max_delay` is `--max-delay`), its default the preset's value, its help and its
range what stands beside it here.
"""

from __future__ import annotations

import argparse
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from spec import VOLTAGE_READOUTS, SpecError
from spec.checks import finite_number, non_negative_time, one_of, positive_number, time_constant, whole_number
from spec.errors import Verbatim

LARGEST_STEP = 1e6
SCHEDULES = ("constant", "cosine")
CHOICES = ("best", "last")
MOST = 1_000_000


def count(value: Any, name: str) -> int:
    """A whole number of at least 1."""
    return whole_number(value, name, 1, MOST, "give a positive number")


def count_or_none(value: Any, name: str) -> int:
    """A whole number of at least 0."""
    return whole_number(value, name, 0, MOST, "give 0 for none")


def learning_rate(value: Any, name: str, unit: str = "") -> float:
    """A step size above 0, at most `LARGEST_STEP`: far above any use, and far below where sums overflow."""
    number = positive_number(value, name, unit)
    if number > LARGEST_STEP:
        expected = f"at most {LARGEST_STEP:g} ({unit})" if unit else f"at most {LARGEST_STEP:g}"
        raise SpecError(name, expected, number, "give a smaller step")
    return number


def delay_rate(value: Any, name: str) -> float:
    """A step size of delays, in ms."""
    return learning_rate(value, name, "ms")


def share(value: Any, name: str) -> float:
    """A number from 0 to 1."""
    number = finite_number(value, name, "a number from 0 to 1")
    if not 0 <= number <= 1:
        raise SpecError(name, "a number from 0 to 1", number, "give a share")
    return number


def part(value: Any, name: str) -> float:
    """A share below 1."""
    if share(value, name) == 1:
        raise SpecError(name, "at least 0 and below 1", value, "something must be left")
    return float(value)


def start_share(value: Any, name: str) -> float:
    """A share above 0."""
    if share(value, name) == 0:
        raise SpecError(name, "above 0 and at most 1", value, "1 eases nothing in")
    return float(value)


def amount(value: Any, name: str) -> float:
    """A number of at least 0."""
    number = finite_number(value, name, "a finite number of at least 0")
    if not 0 <= number <= LARGEST_STEP:
        raise SpecError(name, f"from 0 to {LARGEST_STEP:g}", number, "give 0 for none")
    return number


def schedule(value: Any, name: str) -> str:
    """One of `SCHEDULES`."""
    return one_of(value, name, SCHEDULES)


def choice(value: Any, name: str) -> str:
    """One of `CHOICES`."""
    return one_of(value, name, CHOICES)


def readout(value: Any, name: str) -> str:
    """One of the readouts of the specification."""
    return one_of(value, name, VOLTAGE_READOUTS)


def setting(default: Any, check: Any, help: str, choices: tuple[str, ...] | None = None) -> Any:
    """A field, what checks its value, and what `--help` says of it."""
    return field(default=default, metadata={"check": check, "help": help, "choices": choices})


@dataclass(frozen=True)
class Settings:
    """What a classification is: its network, what it starts from, and how it learns.

    Weights onto the first hidden layer are drawn from N(w_mean, w_sd), onto the next from N(inner_mean, inner_sd), onto
    the outputs from N(0, out_sd); delays onto hidden layers from U(0, delay), onto the outputs they start at 0.
    """

    epochs: int = setting(20, count, "passes over the training split")
    hidden: tuple[int, ...] = setting((128,), count, "neurons of each hidden layer")
    batch: int = setting(32, count, "trials a step, over all processes")
    tau_mem: float = setting(20.0, time_constant, "of all neurons, ms")
    tau_syn: float = setting(5.0, time_constant, "of all neurons, ms")
    readout: str = setting("max_voltage", readout, "what is read of an output's voltage", VOLTAGE_READOUTS)
    gain: float = setting(1.0, positive_number, "readouts times this are what the softmax gets")
    w_mean: float = setting(0.03, finite_number, "mean of the first weights onto the first hidden layer")
    w_sd: float = setting(0.01, amount, "their standard deviation")
    inner_mean: float = setting(0.02, finite_number, "mean of the first weights from a hidden layer onto the next")
    inner_sd: float = setting(0.03, amount, "their standard deviation")
    out_sd: float = setting(0.03, amount, "standard deviation of the first weights onto outputs, whose mean is 0")
    delay: float = setting(100.0, non_negative_time, "delays onto hidden neurons start between 0 and this, ms; 0: at 0")
    max_delay: float = setting(1000.0, non_negative_time, "no delay grows beyond this, ms")
    lr: float = setting(1e-3, learning_rate, "Adam's step for weights")
    delay_lr: float = setting(1.0, delay_rate, "Adam's step for delays, ms")
    out_lr: float = setting(0.0, amount, "Adam's step for weights onto outputs; 0: that of --lr")
    schedule: str = setting("constant", schedule, "of all steps; cosine: down to 0", SCHEDULES)
    ease_in: float = setting(1.0, start_share, "share of their step that weights start with, times 1.05^b in batch b")
    weight_decay: float = setting(0.0, amount, "AdamW's, of weights")
    freeze_delays: bool = setting(False, None, "learn weights only, at the delays drawn at first")
    freeze_weights: bool = setting(False, None, "learn delays only, at the weights drawn at first")
    spikes_target: float = setting(14.0, amount, "spikes a hidden neuron and trial, that --spikes-strength pulls to")
    spikes_strength: float = setting(0.0, amount, "of the pull, beside the exact gradient; 0: none")
    wake: float = setting(0.0, amount, "added, after an epoch, to all weights onto a neuron that never spiked in it")
    shift: int = setting(0, count_or_none, "augmentation: move a trial by up to so many channels")
    spread: float = setting(0.0, amount, "augmentation: stretch a trial's channels by up to a factor of 1 + this")
    stretch: float = setting(0.0, amount, "augmentation: stretch a trial in time by up to a factor of 1 + this")
    blend: float = setting(0.0, share, "augmentation: share of trials blended with another of their class")
    drop: float = setting(0.0, part, "augmentation: share of input spikes lost")
    patience: int = setting(0, count_or_none, "end after so many epochs without a better validation; 0: never")
    choose: str = setting("best", choice, "of the epochs: the best on validation, or the last", CHOICES)
    test: bool = setting(True, None, "end with the test split; a run without may be resumed with --test")
    certify: int = setting(100, count_or_none, "check the identities every so many steps of an epoch; 0: never")

    @classmethod
    def of(cls, options: argparse.Namespace) -> Settings:
        """Those of a command line.

        Raises:
            SpecError: one is out of range, or two exclude each other; it names the option.
        """
        values: dict[str, Any] = {}
        for one in fields(cls):
            name, value, check = f"--{one.name.replace('_', '-')}", getattr(options, one.name), one.metadata["check"]
            if isinstance(value, (list, tuple)):
                values[one.name] = tuple(check(entry, name) for entry in value)
            else:
                values[one.name] = value if check is None else check(value, name)
        found = cls(**values)
        if found.delay > found.max_delay:
            raise SpecError("--delay", f"at most --max-delay, {found.max_delay} (ms)", found.delay, "lower it")
        if found.patience and found.choose == "last":
            raise SpecError("--patience", "0 with --choose last", found.patience, "choose the best, or give all epochs")
        if found.freeze_delays and found.freeze_weights:
            raise SpecError("--freeze-weights", "given without --freeze-delays", Verbatim("both"), "learn one of them")
        return found


def add_settings(parser: argparse.ArgumentParser, presets: Mapping[str, Settings], preset: str) -> None:
    """`--preset`, and an option for each field, with the values of that preset as defaults."""
    parser.add_argument("--preset", choices=tuple(presets), default=preset, help="where the defaults below are from")
    types = typing.get_type_hints(Settings)
    for one in fields(Settings):
        name, value = f"--{one.name.replace('_', '-')}", getattr(presets[preset], one.name)
        if types[one.name] is bool:
            parser.add_argument(name, action=argparse.BooleanOptionalAction, default=value, help=one.metadata["help"])
            continue
        several = isinstance(value, tuple)
        parser.add_argument(
            name, type=int if several else types[one.name], default=list(value) if several else value,
            nargs="+" if several else None, choices=one.metadata["choices"],
            help=f"{one.metadata['help']} (default: {' '.join(map(str, value)) if several else value})",
        )
