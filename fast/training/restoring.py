"""Checks of a checkpoint's content before a run goes on from it.

The checksum of a file tells that it is as it was written, not that this run has written it. What
does not fit is named in a few words, and the run goes on from the checkpoint before, if that fits.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from fast.training.checkpoints import DamagedError

OPTIMISER = {"state", "param_groups"}  # the keys of a torch optimiser's state
MOMENTS = ("exp_avg", "exp_avg_sq")


def check_content(content: object, steps: float) -> None:
    """Refuses a checkpoint that is not of a run of at most `steps` steps.

    Raises:
        DamagedError: an entry is missing or of another kind.
    """
    check_like(content, {"step": 0, "lines": 0}, "it")
    assert isinstance(content, dict)
    if not isinstance(content.get("training"), dict):
        raise DamagedError("it lacks the object 'training'")
    if content["step"] > steps:
        raise DamagedError(f"step is {content['step']} of {steps}")


def check_like(found: object, like: object, name: str) -> None:
    """Refuses a state that lacks an entry of another state of the run, or has one of another kind.

    Args:
        found: the state.
        like: the other state: of dicts, lists, tensors and plain values. An empty dict stands for
            numbers by name, None for a number or None, a tensor of one number for one of any
            length, and a whole number for one of at least 0.
        name: of the state, for the message.

    Raises:
        DamagedError: names the first entry that differs.
    """
    if isinstance(like, dict):
        if not isinstance(found, dict):
            raise _differs(name, "an object", found)
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


def restore_optimiser(optimiser: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Sets the state of an optimiser of the family of Adam.

    Raises:
        DamagedError: it belongs to other parameters, or lacks a part.
    """
    try:
        optimiser.load_state_dict(state)
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise DamagedError(f"the optimiser's state does not fit ({type(error).__name__})") from None
    if not optimiser.state:  # as before the first step
        return
    for parameter in (one for group in optimiser.param_groups for one in group["params"]):
        kept = optimiser.state.get(parameter, {})
        shapes = [getattr(kept.get(name), "shape", None) for name in ("step", *MOMENTS)]
        if shapes != [(), parameter.shape, parameter.shape]:
            raise DamagedError(f"the optimiser's state does not fit a parameter of shape {list(parameter.shape)}")


def _differs(name: str, expected: str, found: object) -> DamagedError:
    return DamagedError(f"{name} is {_kind(found)}, not {expected}")


def _kind(value: object) -> str:
    if isinstance(value, Tensor):
        return f"{str(value.dtype).removeprefix('torch.')} of shape {list(value.shape)}"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    return "an object" if isinstance(value, dict) else repr(value)
