"""The settings of a classification: each field is an option with its default, range and help.

The field `max_delay` is the option `--max-delay`. A preset of a task is a `Settings`; the command
line overrides it.
"""

import argparse
import typing
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields
from functools import partial
from typing import Any, Self

from delayprop.fast.data.augment import Augmentation
from delayprop.fast.nn.synaptic_layer import LEAST_RECURRENT_DELAY
from delayprop.fast.nn.wiring import DELAYS
from delayprop.fast.training.hidden_neurons import NAMED, check_neurons, constant_setting, neuron_setting, option_of
from delayprop.spec import READOUTS, SpecError
from delayprop.spec.checks import (
    duration,
    finite_number,
    non_negative_time,
    one_of,
    positive_number,
    time_constant,
    whole_number,
)
from delayprop.spec.errors import Verbatim

LARGEST = 1e6  # step sizes and other amounts: far above any use, far below where sums overflow
MOST = 1_000_000

count = partial(whole_number, low=1, high=MOST, remedy="give a positive number")
count_or_zero = partial(whole_number, low=0, high=MOST, remedy="give 0 for none")


def bounded(
    value: Any, name: str, check: Callable[[Any, str], float], unit: str = "", remedy: str = "give a smaller step"
) -> float:
    """A number that `check` takes, of at most `LARGEST`."""
    number = check(value, name)
    if number > LARGEST:
        raise SpecError(name, f"at most {LARGEST:g}{unit}", number, remedy)
    return number


step_size = partial(bounded, check=positive_number)
delay_step_size = partial(bounded, check=partial(positive_number, unit="ms"), unit=" (ms)")
delay_bound = partial(bounded, check=non_negative_time, unit=" (ms)", remedy="give it in ms")


def trial_duration(value: Any, name: str) -> float:
    """A duration, ms, or 0."""
    return non_negative_time(value, name) and duration(value, name)


def fraction(value: Any, name: str, zero: bool = True, one: bool = True) -> float:
    """A number from 0 to 1; `zero`, `one`: whether it may equal this bound."""
    expected = f"{'at least' if zero else 'above'} 0 and {'at most' if one else 'below'} 1"
    number = finite_number(value, name, expected)
    if not 0 <= number <= 1 or (number == 0 and not zero) or (number == 1 and not one):
        raise SpecError(name, expected, number, "give a fraction")
    return number


def amount(value: Any, name: str, least: float = 0.0, remedy: str = "give 0 for none") -> float:
    """A number from `least` to `LARGEST`."""
    number = finite_number(value, name, f"a finite number of at least {least:g}")
    if not least <= number <= LARGEST:
        raise SpecError(name, f"from {least:g} to {LARGEST:g}", number, remedy)
    return number


above_0, below_1 = partial(fraction, zero=False), partial(fraction, one=False)
mean_weight = partial(amount, least=-LARGEST, remedy="give a smaller one")


def setting(default: Any, check: Callable[..., Any] | None, help: str, choices: tuple[str, ...] | None = None) -> Any:
    """A field with check and `--help`; `choices` are their own check, a flag needs none."""
    check = check if choices is None else partial(one_of, choices=choices)
    return field(default=default, metadata={"check": check, "help": help, "choices": choices})


@dataclass(frozen=True)
class Settings:
    """Network, initial values and learning of a classification.

    Initial weights are normally distributed, those within recurrent layers with mean 0. Initial
    delays are drawn uniformly from 0 on, and are 0 onto outputs.
    """

    epochs: int = setting(20, count, "passes over the training split")
    hidden: tuple[int, ...] = setting((128,), count, "neurons of each hidden layer")
    neuron: str = setting(
        "lif", neuron_setting, f"neurons of hidden layers: {', '.join(NAMED)}, or a JSON file of equations; where "
        "spikes arrive at several states, sources raise them in turn: of two-synapses an even one the current of "
        "--tau-syn (E), an odd one that of --tau-inh (G)",
    )
    constants: tuple[str, ...] = setting(
        (), constant_setting, "constants of hidden neurons that no other option gives, as NAME=NUMBER, such as v_th=1.5"
    )
    tau_a: float = setting(100.0, time_constant, "time constant of the adaptation, ms (alif, adlif, coupled)")
    adapt: float = setting(0.2, amount, "rise per own spike, of the threshold (alif), else against the input")
    tau_rise: float = setting(2.0, time_constant, "time constant by which a synaptic current rises, ms (rise)")
    coupling: float = setting(0.5, amount, "how strongly the voltage drives the adaptation (coupled)")
    tau_inh: float = setting(10.0, time_constant, "time constant of the second synaptic current, ms (two-synapses)")
    recurrent: bool = setting(False, None, "the neurons of each hidden layer also reach each other")
    delays: str = setting(
        "synaptic", None, "what has a delay: each synapse, each source neuron, or each target neuron", DELAYS
    )
    density: float = setting(1.0, above_0, "fraction of synapses onto hidden neurons that exist, drawn at random")
    pool: int = setting(1, count, "neighbouring input channels that become one, after augmentation")
    batch: int = setting(32, count, "trials per step, over all processes")
    tau_mem: float = setting(20.0, time_constant, "membrane time constant of all neurons, ms")
    tau_syn: float = setting(5.0, time_constant, "synaptic time constant of all neurons, ms")
    readout: str = setting(
        "max_voltage", None, "readout of an output; first_spike_time: outputs are lif, and the first to spike answers",
        READOUTS,
    )
    gain: float = setting(1.0, positive_number, "factor from a readout of a voltage to its logit")
    time_scale: float = setting(1.0, time_constant, "ms by which a first spike must come earlier to be read as 1 more")
    loss: str = setting(
        "cross_entropy", None, "relative_spike_time_mse: other outputs should spike --margin ms after the right one",
        ("cross_entropy", "relative_spike_time_mse"),
    )
    margin: float = setting(2.0, delay_bound, "of --loss relative_spike_time_mse, ms")
    bias: bool = setting(False, None, "one more input, which spikes at 0 in every trial")
    duration: float = setting(
        0.0, trial_duration, "duration of a trial, ms; later input spikes are left out, and counted; 0: that of the "
        "task (of spikes, 1.1 times the last spike time)",
    )
    rate: float = setting(
        0.0, amount,
        "spikes per neuron and trial at which training starts, at least: a factor raises the initial weights onto a "
        "layer of neurons that spike, if it emits fewer on training trials; 0: never",
    )
    w_mean: float = setting(0.03, mean_weight, "mean of the initial weights onto the first hidden layer")
    w_sd: float = setting(0.01, amount, "standard deviation of the initial weights onto the first hidden layer")
    inner_mean: float = setting(0.02, mean_weight, "mean of the initial weights between hidden layers")
    inner_sd: float = setting(0.03, amount, "standard deviation of the initial weights between hidden layers")
    rec_sd: float = setting(0.02, amount, "standard deviation of the initial weights within a recurrent layer")
    out_mean: float = setting(0.0, mean_weight, "mean of the initial weights onto outputs")
    out_sd: float = setting(0.03, amount, "standard deviation of the initial weights onto outputs")
    delay: float = setting(100.0, delay_bound, "largest initial delay onto hidden neurons, ms")
    rec_delay: float = setting(30.0, delay_bound, "largest initial delay within a recurrent layer, ms")
    max_delay: float = setting(1000.0, delay_bound, "upper bound of every delay, ms")
    lr: float = setting(1e-3, step_size, "step size of Adam for weights")
    delay_lr: float = setting(1.0, delay_step_size, "step size of Adam for delays, ms")
    out_lr: float = setting(0.0, amount, "step size of Adam for weights onto outputs; 0: that of --lr")
    schedule: str = setting("constant", None, "schedule of all step sizes; cosine: down to 0", ("constant", "cosine"))
    warm_up: float = setting(0.0, amount, "epochs in which a further factor on all step sizes grows from 0 to 1")
    clip: float = setting(0.0, amount, "largest norm of the gradient of each group of parameters; 0: no bound")
    average: float = setting(
        0.0, below_1,
        "decay per step of the average of all parameters that is evaluated and kept, such as 0.999; 0: no average",
    )
    dropout: float = setting(
        0.0, below_1, "fraction of the last hidden layer that sends no spikes to the outputs, drawn per trial and step"
    )
    label_smoothing: float = setting(0.0, below_1, "share of the training target that goes to all classes alike")
    learn_constants: bool = setting(False, None, "also learn the time constants of each neuron")
    constants_lr: float = setting(0.1, delay_step_size, "step size of Adam for time constants, ms")
    least_tau: float = setting(2.0, time_constant, "lower bound of learned time constants, ms")
    ease_in: float = setting(1.0, above_0, "first factor on the step size of weights; batch b multiplies it by 1.05^b")
    weight_decay: float = setting(0.0, amount, "decay of weights, as in AdamW")
    out_delays: bool = setting(True, None, "delays onto outputs are learned; they begin at 0")
    freeze_delays: bool = setting(False, None, "delays keep their initial values")
    freeze_weights: bool = setting(False, None, "weights keep their initial values")
    spikes_target: float = setting(14.0, amount, "spikes per hidden neuron and trial that --spikes-strength aims at")
    spikes_strength: float = setting(0.0, amount, "strength of spike count regularisation; 0: none")
    wake: float = setting(0.0, amount, "added after an epoch to all weights onto neurons that were silent in it")
    shift: int = setting(0, count_or_zero, "augmentation: maximum channel shift per trial")
    spread: float = setting(0.0, amount, "augmentation: maximum factor on channel distances per trial, minus 1")
    stretch: float = setting(0.0, amount, "augmentation: maximum factor on times per trial, minus 1")
    move: float = setting(0.0, amount, "augmentation: maximum move of a trial in time, ms")
    blend: float = setting(0.0, fraction, "augmentation: fraction of trials blended with another of their class")
    blend_more: float = setting(0.0, amount, "augmentation: blends that are added to an epoch, per trial of it")
    drop: float = setting(0.0, below_1, "augmentation: fraction of input spikes dropped")
    patience: int = setting(0, count_or_zero, "stop after n epochs without a better accuracy; 0: never")
    patience_on: str = setting("valid", None, "the accuracy of --patience", ("valid", "train"))
    choose: str = setting("best", None, "which epoch's network is kept; best: on validation", ("best", "last"))
    test: bool = setting(True, None, "evaluate the test split at the end; after --no-test: with --resume --test")
    certify: int = setting(100, count_or_zero, "check the identities every n steps of an epoch; 0: never")

    @property
    def augmentation(self) -> Augmentation:
        """The augmentation of training trials."""
        return Augmentation(
            shift=self.shift, spread=self.spread, stretch=self.stretch, move=self.move, blend=self.blend,
            more=self.blend_more, drop=self.drop,
        )

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """The settings among options by name; `SpecError`: one is out of range, or excludes
        another."""
        checked: dict[str, Any] = {}
        for one in fields(cls):
            name, value, check = option_of(one.name), values[one.name], one.metadata["check"]
            if isinstance(value, (list, tuple)):
                checked[one.name] = tuple(check(entry, name) for entry in value)
            else:
                checked[one.name] = value if check is None else check(value, name)
        found = cls(**checked)
        if found.delay > found.max_delay:
            expected = f"at most --max-delay, {found.max_delay} (ms)"
            raise SpecError("--delay", expected, found.delay, "lower it, or raise --max-delay")
        if found.recurrent and not LEAST_RECURRENT_DELAY <= found.rec_delay <= found.max_delay:
            expected = f"from {LEAST_RECURRENT_DELAY} to --max-delay, {found.max_delay} (ms)"
            raise SpecError("--rec-delay", expected, found.rec_delay, "change it, or leave out --recurrent")
        check_neurons(found)
        if found.patience and found.choose == "last" and found.patience_on == "valid":
            raise SpecError("--patience", "0 with --choose last", found.patience, "or take --patience-on train")
        check_first_spikes(found)
        if found.freeze_delays and found.freeze_weights and not found.learn_constants:
            raise SpecError("--freeze-weights", "given without --freeze-delays", Verbatim("both"), "learn one of them")
        return found

    def doubts(self) -> list[str]:
        """Settings that rarely do what is meant, in words."""
        if self.readout != "mean_voltage":
            return []
        remedy = "--readout exp_weighted_voltage passes one"
        return [f"--readout mean_voltage passes next to no gradient to hidden neurons: {remedy}"]


def check_first_spikes(settings: Settings) -> None:
    """Refuse settings that the readout, or the loss, does not take."""
    by_readout = ("gain",) if settings.readout == "first_spike_time" else ("time_scale", "loss")
    by_loss = ("margin",) if settings.loss == "cross_entropy" else ("time_scale", "label_smoothing")
    for names, of_which in ((by_readout, "readout"), (by_loss, "loss")):
        given = f"{option_of(of_which)} {getattr(settings, of_which)}"
        for name in names:
            if (value := getattr(settings, name)) != getattr(Settings, name):
                usual = getattr(Settings, name)
                raise SpecError(option_of(name), f"{usual} with {given}", value, f"give it, or change --{of_which}")


def with_defaults(options: dict[str, Any]) -> dict[str, Any]:
    """The options of a run, with the defaults of settings that its version lacked."""
    defaults = {one.name: one.default for one in fields(Settings)} if "hidden" in options else {}
    newer = {name: list(value) if isinstance(value, tuple) else value for name, value in defaults.items()}
    if options.get("task") == "spikes":
        newer["valid_speakers"] = []
    given = {name: value for name, value in options.items() if value is not None or name not in newer}
    return {**newer, **given}


def kind_of_delays(settings: Mapping[str, Any]) -> str:
    """The kind of delays of a run, and what it learns less or more than usual besides."""
    if settings["freeze_delays"]:
        loops = settings.get("recurrent") and settings["rec_delay"] > LEAST_RECURRENT_DELAY
        return "as drawn" if settings["delay"] > 0 else "as drawn, in loops alone" if loops else "none"
    if settings.get("freeze_weights"):  # old runs lack the newer settings
        return "learned, weights as drawn"
    return "learned, with time constants" if settings.get("learn_constants") else "learned"


GROUPS: dict[str, tuple[str, ...]] = {  # the settings as `--help` shows them
    "network": (
        "hidden", "neuron", "constants", "tau_a", "adapt", "tau_rise", "coupling", "tau_inh", "recurrent", "delays",
        "density", "pool", "bias", "duration", "tau_mem", "tau_syn", "readout", "gain", "time_scale", "loss", "margin",
        "max_delay",
    ),
    "first values": (
        "rate", "w_mean", "w_sd", "inner_mean", "inner_sd", "rec_sd", "out_mean", "out_sd", "delay", "rec_delay",
    ),
    "steps": (
        "epochs", "batch", "lr", "out_lr", "delay_lr", "schedule", "warm_up", "ease_in", "clip", "weight_decay",
        "out_delays", "freeze_weights", "freeze_delays",
    ),
    "time constants": ("learn_constants", "constants_lr", "least_tau"),
    "generalisation": ("dropout", "average", "label_smoothing"),
    "activity": ("spikes_strength", "spikes_target", "wake"),
    "augmentation": ("shift", "spread", "stretch", "move", "blend", "blend_more", "drop"),
    "end": ("choose", "patience", "patience_on", "test", "certify"),
}


def add_settings(parser: argparse.ArgumentParser, presets: Mapping[str, Settings], preset: str) -> None:
    """Adds `--preset`, and in groups one option per field; the defaults are those of `preset`."""
    parser.add_argument("--preset", choices=tuple(presets), default=preset, help="source of the defaults below")
    by_name, types = {one.name: one for one in fields(Settings)}, typing.get_type_hints(Settings)
    for title, names in GROUPS.items():
        group = parser.add_argument_group(title)
        for name in names:
            _add(group, by_name[name], types[name], getattr(presets[preset], name))


def changed(values: Mapping[str, Any], parser: argparse.ArgumentParser) -> str:
    """The names of the settings that differ from the preset's; `parser` has the options of it."""
    names = [one.name for one in fields(Settings) if one.name in values]
    return " ".join(name for name in names if values[name] != parser.get_default(name))


def _add(group: argparse._ArgumentGroup, one: Field, kind: type, value: Any) -> None:
    name, words = option_of(one.name), one.metadata["help"]
    if kind is bool:
        group.add_argument(name, action=argparse.BooleanOptionalAction, default=value, help=words)
    elif isinstance(value, tuple):
        shown, (entry, *_) = " ".join(map(str, value)) or "none", typing.get_args(kind)
        many: dict[str, Any] = {"nargs": "+"} if value else {"nargs": "*", "action": "extend"}
        group.add_argument(name, type=entry, default=list(value), help=f"{words} (default: {shown})", **many)
    else:
        choices, words = one.metadata["choices"], f"{words} (default: {value})"
        group.add_argument(name, type=kind, default=value, choices=choices, help=words)
