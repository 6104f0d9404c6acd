"""The neurons of hidden layers, from the settings: a name, or equations of the user's own."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from difflib import get_close_matches
from functools import lru_cache
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from delayprop.fast.nn.constants import is_time_constant
from delayprop.fast.nn.layers import ALIF, LIF, USUAL, AdLIF, Spiking
from delayprop.fast.nn.spiking_layer import SpikingLayer
from delayprop.spec.checks import described, finite_number
from delayprop.spec.documents import read
from delayprop.spec.errors import SpecError, placed
from delayprop.spec.names import by_name, same
from delayprop.spec.neuron import NEURONS, Neuron, neuron_from_text

if TYPE_CHECKING:
    from delayprop.fast.training.settings import Settings

SHARED = {"tau_mem": "tau_mem", "tau_syn": "tau_syn"}
NAMED: dict[str, dict[str, str]] = {  # the constants of a neuron that settings give, and their settings
    "lif": SHARED, "alif": SHARED | {"tau_a": "tau_a", "beta": "adapt"},
    "adlif": SHARED | {"tau_a": "tau_a", "b": "adapt"}, "rise": SHARED | {"tau_rise": "tau_rise"},
    "coupled": SHARED | {"tau_a": "tau_a", "b": "adapt", "g": "coupling"},
    "two-synapses": {"tau_mem": "tau_mem", "tau_exc": "tau_syn", "tau_inh": "tau_inh"},
}
BEYOND_LIF = {name: tuple(s for s in given.values() if s not in SHARED) for name, given in NAMED.items()}
"""The settings that a neuron reads and `lif` does not."""
LAYERS: dict[str, Callable[..., SpikingLayer]] = {"lif": LIF, "alif": ALIF, "adlif": AdLIF}  # `repr` names them
ONE_NUMBER = "NAME=NUMBER, one finite number for all neurons"


def neuron_text(given: object) -> str:
    """A neuron as a run stores it: its name, or its equations as JSON.

    `given`: a name, a `Neuron`, such a text, or the path of a JSON file, which is read. The file
    may change later: the text does not.
    """
    if isinstance(given, str) and given in NAMED:
        return given
    if not isinstance(given, Neuron):
        is_text = isinstance(given, str) and given.startswith("{")
        if not isinstance(given, str | Path) or not (is_text or {*"/\\."} & {*str(given)}):
            raise _no_neuron(given)
        text = str(given) if is_text else read(given, "neuron")
        with placed("--neuron", {"neuron": ""}):
            given = neuron_from_text(text)
    name = next((name for name in NAMED if NEURONS[name] == given), None)
    return name or json.dumps(asdict(given))


def neuron_setting(text: Any, name: str) -> str:
    """The check of the setting: a name, or equations as `neuron_text` returns them. It reads no
    file: a run may come from a stranger."""
    if text in NAMED:
        return str(text)
    if not isinstance(text, str) or not text.startswith("{"):
        raise _no_neuron(text)
    with placed(name, {"neuron": ""}):
        _parsed(text)
    return text


_parsed = lru_cache(neuron_from_text)


def _no_neuron(given: object) -> SpecError:
    near = get_close_matches(str(given), NAMED, 1)
    remedy = f"did you mean `{near[0]}`?" if near else "docs/tutorials/own-neuron.md shows such a file"
    expected = f"{', '.join(NAMED)}, or a JSON file of equations (in Python, a `Neuron`)"
    return SpecError("--neuron", expected, given if isinstance(given, str) else described(given), remedy)


def equations_of(settings: "Settings") -> Neuron:
    """The equations of hidden neurons."""
    return NEURONS[settings.neuron] if settings.neuron in NAMED else _parsed(settings.neuron)


def check_neurons(settings: "Settings") -> None:
    """Refuse time constants that learn from below their bound, and settings of other neurons that
    have not their default."""
    given = {source: value for name, (source, value) in constants_of(settings).items() if is_time_constant(name)}
    taus = {"--tau-mem": settings.tau_mem, "--tau-syn": settings.tau_syn, **given}
    if settings.learn_constants and settings.least_tau > (first := min(taus.values())):
        raise SpecError("--least-tau", f"at most {' and '.join(taus)}, {first} (ms)", settings.least_tau, "lower it")
    for name in dict.fromkeys(one for names in BEYOND_LIF.values() for one in names):
        value = getattr(settings, name)
        if name in BEYOND_LIF.get(settings.neuron, ()) or value == getattr(type(settings), name):
            continue
        readers = " or ".join(neuron for neuron, names in BEYOND_LIF.items() if name in names)
        named, remedy = settings.neuron, f"leave it out, or take --neuron {readers}"
        if named not in NAMED:
            named, remedy = "FILE", "--constants gives those of FILE"
        raise SpecError(option_of(name), f"left out with --neuron {named}", value, remedy)


def constant_words(given: Mapping[str, object] | Sequence[object]) -> list[str]:
    """Constants as a run stores them: sorted, and each number in one form.

    `given`: words of the command line, or numbers by name.
    """
    if isinstance(given, Mapping):
        given = by_name(given, "--constants")
        found = {name: finite_number(value, f"--constants {name}") for name, value in given.items()}
    else:
        found = _numbers(given)
    return [f"{name}={found[name]!r}" for name in sorted(found)]


def _numbers(words: Sequence[object]) -> dict[str, float]:
    """The numbers of words `NAME=NUMBER`, by name; names in the form in which Python reads them."""
    found: dict[str, float] = {}
    for word in words:
        name, _, number = constant_setting(word, "--constants").partition("=")
        name = same(name)
        if name in found:
            raise SpecError("--constants", "", f"has {name} twice", "name it once")
        found[name] = float(number)
    return found


def constant_setting(word: Any, name: str) -> str:
    """The check of one `NAME=NUMBER`."""
    constant, _, number = word.partition("=") if isinstance(word, str) else ("", "", "")
    try:
        usable = constant.isidentifier() and isfinite(float(number))  # nan-ok: it is refused below
    except ValueError:
        usable = False
    if not usable:
        raise SpecError(name, ONE_NUMBER, word if isinstance(word, str) else described(word), "such as v_th=1.5")
    return str(word)


def constants_of(settings: "Settings") -> dict[str, tuple[str, float]]:
    """Of each constant of the hidden neurons: what gives it, such as `--tau-a` or `--constants
    beta`, and its value. `SpecError`: `--constants` lacks one, or has one that the equations do not
    name, that another option gives, or that it has already."""
    named, own = equations_of(settings).constants, _numbers(settings.constants)
    by_setting = {constant: s for constant, s in NAMED.get(settings.neuron, SHARED).items() if constant in named}
    for name in own:
        if name in by_setting:
            option = option_of(by_setting[name])
            raise SpecError("--constants", "", f"has {name}, which {option} gives", f"give it by {option}")
        if name not in named:
            free = ", ".join(one for one in named if one not in by_setting)
            remedy = f"they name {free}" if free else "leave it out"
            raise SpecError("--constants", "", f"has {name}, which the equations do not name", remedy)
    if lacking := [name for name in named if name not in {**by_setting, **USUAL, **own}]:
        example = f"{lacking[0]}={20 if is_time_constant(lacking[0]) else 0.5}"
        raise SpecError("--constants", "", f"lacks {', '.join(lacking)}", f"give each, such as {example}")
    others = {name: (f"--constants {name}", {**USUAL, **own}[name]) for name in named if name not in by_setting}
    return others | {name: (option_of(s), getattr(settings, s)) for name, s in by_setting.items()}


def hidden_layer(pre: int, post: int, settings: "Settings", wiring: Mapping[str, Any]) -> SpikingLayer:
    """A hidden layer; `wiring`: further arguments of it. Where spikes arrive at several states,
    sources raise them in turn."""
    equations, constants = equations_of(settings), constants_of(settings)
    _check_rounded(constants, wiring["dtype"])
    values, given = {name: value for name, (_, value) in constants.items()}, {**wiring, "recurrent": settings.recurrent}
    if len(states := equations.arrivals) > 1:
        given["into"], own = ([states[n % len(states)] for n in range(size)] for size in (pre, post))
        given["into_rec"] = own if settings.recurrent else None
    sources = {name: source for name, (source, _) in constants.items()}
    with placed("", {**sources, "neuron": "--neuron", "constants": "--constants"}):
        if (kind := LAYERS.get(settings.neuron)) is not None:
            return kind(pre, post, **values, **given)
        return Spiking(pre, post, neuron=equations, constants=values, **given)


def _check_rounded(constants: Mapping[str, tuple[str, float]], dtype: torch.dtype) -> None:
    """Refuse constants that `dtype` turns into 0 or infinity, and a reset at the threshold."""
    rounded = {name: float(torch.tensor(value, dtype=dtype)) for name, (_, value) in constants.items()}
    for name, (source, value) in constants.items():
        if not isfinite(rounded[name]) or (rounded[name] == 0) != (value == 0):
            held = str(dtype).removeprefix("torch.")
            raise SpecError(source, f"a number that {held} can hold", value, "choose another unit")
    if {"v_th", "v_reset"} <= rounded.keys() and rounded["v_reset"] >= rounded["v_th"] > 0:
        source, value = constants["v_reset"]
        raise SpecError(source, f"below v_th, {constants['v_th'][1]:g}", value, "lower it")


def option_of(name: str) -> str:
    """The option of a setting."""
    return f"--{name.replace('_', '-')}"
