"""The options of a training, as words of the command or Python values, and the `Job` they make."""

import argparse
import difflib
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from delayprop.fast.nn.devices import DEVICES, DTYPES, check_device
from delayprop.fast.tasks.registry import CLASSIFYING, TASKS, job_from
from delayprop.fast.training.hidden_neurons import constant_words, neuron_text
from delayprop.fast.training.job import Job
from delayprop.fast.training.run_folder import check_tensorboard
from delayprop.fast.training.settings import add_settings, changed
from delayprop.spec.checks import described, finite_number, is_list, one_of, whole_number
from delayprop.spec.command import OneLineParser
from delayprop.spec.errors import SpecError, Verbatim

NONE_OF_A_JOB = {"leave_one_speaker_out"}  # several jobs
FLAGS = argparse.BooleanOptionalAction, argparse._StoreTrueAction


def parser_of(prog: str, task: str | None, preset: str | None = None) -> OneLineParser:
    """The options of all tasks, and those of `task` with the defaults of the preset."""
    parser = OneLineParser(prog, "Train a network with delays by exact gradients.")
    add = parser.add_argument
    add("--task", choices=tuple(TASKS), required=True, help="the task; with --help: its options")
    add("--seed", type=int, default=0, help="seed of all random numbers (default: %(default)s)")
    add("--out", help="folder of the run (default: the first free runs/TASK-N)")
    what = "continue the run in --out from its last checkpoint; start it if there is none"
    add("--resume", action="store_true", help=what)
    add("--save-seconds", type=float, default=60.0, help="time between checkpoints, s (default: %(default)s)")
    add("--tensorboard", action="store_true", help="also write the log for TensorBoard, in --out")
    add("--device", choices=DEVICES, default="cpu", help="device that computes (default: %(default)s)")
    add("--dtype", choices=tuple(DTYPES), default="float32", help="precision (default: %(default)s)")
    if task in TASKS:
        TASKS[task].add_options(parser)
    if task in CLASSIFYING:
        add("--workers", type=int, default=0, help="processes that prepare batches (default: 0)")
        presets = CLASSIFYING[task].PRESETS
        add_settings(parser, presets, next(iter(presets)) if preset not in presets else str(preset))
    return parser


def task_and_preset(words: list[str]) -> tuple[str | None, str | None]:
    """`--task` and `--preset` of a command line, on which its other options depend."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    first.add_argument("--task")
    first.add_argument("--preset")
    try:
        known = first.parse_known_args(words)[0]
    except argparse.ArgumentError:
        return None, None
    return known.task, known.preset


def is_given(option: str, words: Sequence[str]) -> bool:
    """Whether a command line has an option."""
    return any(word.partition("=")[0] == option for word in words)


def job_of(values: Mapping[str, Any], parser: argparse.ArgumentParser) -> Job:
    """The job that options by name ask for, as the parser or `values_of` return them.

    Raises:
        SpecError: an option is out of range, or excludes another.
        UnsupportedError: a device, or the package of an option, is missing.
    """
    values = {**values, "changed": changed(values, parser)}
    whole_number(values["seed"], "--seed", 0, 2**63 - 1, "give the seed of all random numbers")
    check_device(values["device"])
    if "workers" in values:
        whole_number(values["workers"], "--workers", 0, 1024, "0: this process prepares batches")
    if values["tensorboard"]:
        check_tensorboard()
    if not 0 <= finite_number(values["save_seconds"], "--save-seconds"):
        raise SpecError("--save-seconds", "at least 0 (s)", values["save_seconds"], "0 saves after every step")
    if "neuron" in values:  # a run keeps the equations, whatever happens to their file
        values |= {"neuron": neuron_text(values["neuron"]), "constants": constant_words(values["constants"])}
    job = job_from(values)
    given = {name for name, value in values.items() if value is not None}
    lost = given - job.record().keys() - NONE_OF_A_JOB
    assert not lost, f"{lost} must be fields of the settings of {job.task}"
    return job


def values_of(parser: argparse.ArgumentParser, given: Mapping[str, object]) -> dict[str, Any]:
    """The options that the words of a command line would give, from values by name, with `_` for
    `-`; a number or a path may stand for a list of one. `job_of` checks ranges, for both alike.
    """
    actions = {one.dest: one for one in parser._actions if one.dest != "help"}
    found = {name: parser.get_default(name) for name in actions}
    for name, value in given.items():
        if name not in actions:
            near = difflib.get_close_matches(name, actions, 1)
            listed = f"`delayprop train --task {given['task']} --help` lists them"
            remedy = f"did you mean `{near[0]}`?" if near else listed
            raise SpecError(name, f"a setting of the task {given['task']}", Verbatim("another name"), remedy)
        if name == "constants" and isinstance(value, Mapping):
            value = constant_words(value)
        found[name] = _checked(actions[name], value)
    return found


def _checked(action: argparse.Action, value: object) -> object:
    name = action.option_strings[0]
    if value is None and action.default is None:
        return None
    if isinstance(action, FLAGS):
        if not isinstance(value, bool | np.bool_):
            raise SpecError(name, "True or False", described(value), "give one of the two")
        return bool(value)
    if action.nargs not in ("+", "*"):
        return _plain(action, value, name)
    entries = list(value) if is_list(value) else [value]  # type: ignore[call-overload]
    if not entries and action.nargs == "+":
        raise SpecError(name, "a list of at least one", Verbatim("an empty list"), "give an entry")
    return [_plain(action, entry, name) for entry in entries]


def _plain(action: argparse.Action, value: Any, name: str) -> object:
    """One value as the command line gives it: the options of a run are stored as JSON."""
    if isinstance(value, np.generic):
        value = value.item()
    if action.choices is not None:
        return one_of(value, name, list(action.choices))
    if action.type is int and type(value) is not int:
        raise SpecError(name, "a whole number", described(value), "give it without quotes and without a point")
    if action.type is float:
        if type(value) not in (int, float):
            raise SpecError(name, "a number", described(value), "give it without quotes")
        return float(value)
    if action.type is None:
        if not isinstance(value, str | os.PathLike):
            remedy = "; `delayprop.write_spike_file` writes a file of spikes" if name == "--data" else ""
            raise SpecError(name, "a path", described(value), f"give text, or a `Path`{remedy}")
        return os.fspath(value)
    return value
