"""Checks of a checkpoint's content before a run goes on from it.

A checksum proves that a file is whole, not that it belongs to this run. An entry that does not fit
is named in a few words, and the run goes on from the checkpoint before, if that fits.
"""

import math
from typing import Any

import torch
from torch import Tensor

from delayprop.fast.training.checkpoints import DamagedError
from delayprop.fast.training.settings import Settings
from delayprop.spec.errors import shown

OPTIMISER = {"state", "param_groups"}  # the keys of a torch optimiser's state
MOMENTS = ("exp_avg", "exp_avg_sq")
FREE = ("lr", "params")  # of a group: a schedule sets the step size, and torch compares the numbers of parameters


def check_content(content: object, steps: float) -> None:
    """Refuses a checkpoint that is not of a run of at most `steps` steps."""
    check_like(content, {"step": 0}, "it")
    assert isinstance(content, dict)
    if not isinstance(content.get("training"), dict):
        raise DamagedError("it lacks the object 'training'")
    if content["step"] > steps:
        raise DamagedError(f"step is {content['step']} of {steps}")


def check_like(found: object, like: object, name: str) -> None:
    """Refuses a state that lacks an entry of another state of the run, or has one of another kind.

    `like`: dicts, lists, tensors and plain values. An empty dict stands for numbers by name, None
    for a number or None, a tensor of one number for one of any length, and a whole number for one
    of at least 0.
    """
    if isinstance(like, dict):
        if not isinstance(found, dict):
            raise _differs(name, "an object", found)
        more = found.keys() - like.keys() if like and name != "it" else ()
        if more:
            raise DamagedError(f"{name} has {shown(min(more, key=repr))}, which is not of this run")
        for key, inner in (like or dict.fromkeys(found, 0.0)).items():
            if key not in found:
                raise DamagedError(f"{name} lacks {key!r}")
            if not OPTIMISER <= like.keys():  # `restore_optimiser` checks its content
                check_like(found[key], inner, str(key) if name == "it" else f"{name}.{key}")
    elif isinstance(like, list | tuple):
        if not isinstance(found, list | tuple) or len(found) != len(like):
            raise _differs(name, f"a list of {len(like)}", found)
        for n, inner in enumerate(like):
            check_like(found[n], inner, f"{name}[{n}]")
    elif isinstance(like, Tensor):
        fits = isinstance(found, Tensor) and found.dtype == like.dtype and found.ndim == like.ndim
        if not fits or (found.shape != like.shape and like.shape != (1,)):  # type: ignore[attr-defined]
            raise _differs(name, _kind(like), found)
        if not bool(torch.isfinite(found).all()):  # type: ignore[arg-type]  # a tensor by now
            raise DamagedError(f"{name} is not finite")
    elif like is None:
        if found is not None:
            check_like(found, 0.0, name)
    elif isinstance(like, bool | str):
        if type(found) is not type(like):
            raise _differs(name, type(like).__name__, found)
    elif isinstance(like, int | float):
        wanted = (int,) if isinstance(like, int) else (int, float)
        if type(found) not in wanted or (wanted == (int,) and found < 0):  # type: ignore[operator]
            raise _differs(name, "a whole number of at least 0" if wanted == (int,) else "a number", found)
        if not math.isfinite(found) and found != like:  # type: ignore[arg-type]  # a number by now
            raise _differs(name, "finite", found)


def check_counters(state: dict[str, Any], settings: Settings, per_epoch: int, neurons: int) -> None:
    """Refuses counts of a classification beyond its run, and shares outside of 0 to 1."""
    best, watched, epoch, epochs = state["best"], state["watched"], state["epoch"], settings.epochs
    if len(epoch["fired"]) not in (1, neurons):  # 1: as before the first step
        raise DamagedError(f"training.epoch.fired is of {len(epoch['fired'])} neurons, not {neurons}")
    sums, residuals = epoch["sums"], [value for value in epoch["residuals"].values() if value is not None]
    started = best["accuracy"] >= 0  # -1 in epoch 0: nothing is evaluated yet
    for name, value, low, high in (
        ("ended", state["ended"], 0, epochs if settings.patience else 0),
        ("best.epoch", best["epoch"], int(started), epochs if started else 0),
        ("best.accuracy", best["accuracy"], 0 if started else -1, 1 if started else -1),
        ("watched.epoch", watched["epoch"], int(started), epochs if started else 0),
        ("watched.accuracy", watched["accuracy"], 0 if started else -1, 1 if started else -1),
        ("epoch.sums.steps", sums["steps"], 0, per_epoch),
        ("epoch.sums.right", sums["right"], 0, sums["trials"]),
        ("epoch.sums.silent_steps", sums["silent_steps"], 0, sums["steps"]),
        ("epoch.kappa_min", epoch["kappa_min"], 0, math.inf),
        ("the least of epoch.fired", float(epoch["fired"].min()), 0, math.inf),
        *((f"epoch.sums.{one}", sums[one], 0, math.inf) for one in ("trials", "loss", "clamped")),
        *((f"epoch.norms.{one}", norm, 0, math.inf) for one, norm in epoch["norms"].items()),
        *(("epoch.residuals", residual, 0, math.inf) for residual in residuals),
    ):
        if not low <= value <= high:
            raise DamagedError(f"training.{name} is {value!r}, not from {low} to {high}")


def restore_optimiser(optimiser: torch.optim.Optimizer, state: dict[str, Any], steps: int) -> None:
    """Sets the state of an optimiser of Adam's family, of at most `steps` steps, if it fits."""
    _check_groups(optimiser.state_dict()["param_groups"], state.get("param_groups"))
    parameters = [one for group in optimiser.param_groups for one in group["params"]]
    found = state["state"]
    if not isinstance(found, dict) or set(found) not in (set(), {*range(len(parameters))}):  # empty before a step
        raise DamagedError("the optimiser's state does not fit its parameters")
    for number, entry in found.items():
        _check_entry(entry, parameters[number], steps)
    if len({float(entry["step"]) for entry in found.values()}) > 1:
        raise DamagedError("the optimiser's state does not fit: its parameters took different numbers of steps")
    own = {number: {name: value.clone() for name, value in entry.items()} for number, entry in found.items()}
    try:
        optimiser.load_state_dict({**state, "state": own})
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise DamagedError(f"the optimiser's state does not fit ({type(error).__name__})") from None


def _check_groups(built: list[dict], found: object) -> None:
    """Refuses groups that differ from those that the options build. A switch may be missing: torch
    adds switches from version to version."""
    if not isinstance(found, list) or len(found) != len(built) or not all(isinstance(one, dict) for one in found):
        raise DamagedError("the optimiser's state does not fit: it has other groups")
    for group, like in zip(found, built, strict=True):
        for name in sorted({*group, *like} - {*FREE}, key=repr):
            value, wanted = group.get(name, KeyError), like.get(name, KeyError)
            switch = wanted is None or isinstance(wanted, bool)
            if (type(value), value) != (type(wanted), wanted) and not (value is KeyError and switch):
                raise DamagedError(f"the optimiser's {name} is {_kind(value)}, not {wanted!r}")
        lr, numbers = group.get("lr"), group.get("params")
        if type(lr) not in (int, float) or not 0 <= lr < math.inf:
            raise DamagedError(f"the optimiser's lr is {_kind(lr)}, not a finite number of at least 0")
        if numbers != like["params"] or {*map(type, numbers)} != {int}:
            raise DamagedError("the optimiser's state does not fit: its groups have other parameters")


def _check_entry(entry: object, parameter: Tensor, steps: int) -> None:
    """Refuses step and moments of a parameter that no run of `steps` steps can have."""
    name = f"the optimiser's state of a parameter of shape {list(parameter.shape)}"
    check_like(entry, {"step": torch.tensor(1.0), **dict.fromkeys(MOMENTS, parameter)}, name)
    assert isinstance(entry, dict)
    if any(entry[moment].shape != parameter.shape for moment in MOMENTS):  # of one number: `like` allows any length
        raise DamagedError(f"{name} is of another shape")
    if bool((entry["exp_avg_sq"] < 0).any()):
        raise DamagedError(f"{name}.exp_avg_sq is below 0")
    if not 1 <= (step := float(entry["step"])) <= steps or not step.is_integer():
        raise DamagedError(f"{name}.step is {step}, not from 1 to {steps}")


def _differs(name: str, expected: str, found: object) -> DamagedError:
    return DamagedError(f"{name} is {_kind(found)}, not {expected}")


def _kind(value: object) -> str:
    if isinstance(value, Tensor):
        return f"{str(value.dtype).removeprefix('torch.')} of shape {list(value.shape)}"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    return "an object" if isinstance(value, dict) else shown(value)
