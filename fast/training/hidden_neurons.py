"""The neurons of hidden layers, from the settings: a name, or equations of the user's own."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from difflib import get_close_matches
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from delayprop.fast.nn.constants import is_time_constant
from delayprop.fast.nn.layers import ALIF, LIF, USUAL, AdLIF, Spiking
from delayprop.fast.nn.spiking_layer import SpikingLayer
from delayprop.spec.checks import described
from delayprop.spec.errors import SpecError, placed
from delayprop.spec.neuron import NEURONS, Neuron, load_neuron, neuron_from_text

if TYPE_CHECKING:
    from delayprop.fast.training.settings import Settings

SHARED = {"tau_mem": "tau_mem", "tau_syn": "tau_syn"}
NAMED: dict[str, dict[str, str]] = {  # the constants of a neuron that settings give, and their settings
    "lif": SHARED, "alif": SHARED | {"tau_a": "tau_a", "beta": "adapt"},
    "adlif": SHARED | {"tau_a": "tau_a", "b": "adapt"}, "rise": SHARED | {"tau_rise": "tau_rise"},
    "coupled": SHARED | {"tau_a": "tau_a", "b": "adapt", "g": "coupling"},
    "two-synapses": {"tau_mem": "tau_mem", "tau_exc": "tau_syn", "tau_inh": "tau_inh"},
}
OWN_SETTINGS = {name: tuple(s for s in given.values() if s not in SHARED) for name, given in NAMED.items()}
"""The settings that a neuron reads and `lif` does not."""
LAYERS: dict[str, Callable[..., SpikingLayer]] = {"lif": LIF, "alif": ALIF, "adlif": AdLIF}


def neuron_text(given: object) -> str:
    """A neuron as a run stores it: its name, or its equations as JSON.

    `given`: a name, a `Neuron`, or the path of a JSON file, which is read. Stored equations do not
    change with the file.
    """
    if isinstance(given, str) and given in NAMED:
        return given
    if not isinstance(given, Neuron):
        if not isinstance(given, str | Path) or not Path(given).is_file():
            raise _no_neuron(given)
        given = load_neuron(given)
    return json.dumps(asdict(given))


def neuron_setting(text: Any, name: str) -> str:
    """The check of the setting: a name, or equations as `neuron_text` returns them. It reads no
    file: a run may come from a stranger."""
    if text in NAMED:
        return str(text)
    if not isinstance(text, str) or not text.startswith("{"):
        raise _no_neuron(text)
    with placed(name):
        neuron_from_text(text)
    return text


def _no_neuron(given: object) -> SpecError:
    got = given if isinstance(given, str) else described(given)
    near = get_close_matches(str(given), NAMED, 1)
    remedy = f"did you mean `{near[0]}`?" if near else "docs/tutorials/own-neuron.md has such a file"
    return SpecError("--neuron", f"{', '.join(NAMED)}, or a JSON file of equations", got, remedy)


def equations_of(settings: "Settings") -> Neuron:
    """The equations of hidden neurons."""
    return NEURONS[settings.neuron] if settings.neuron in NAMED else neuron_from_text(settings.neuron)


def check_left_out(settings: "Settings") -> None:
    """Refuse settings of other neurons that have not their default."""
    for name in dict.fromkeys(one for names in OWN_SETTINGS.values() for one in names):
        value = getattr(settings, name)
        if name in OWN_SETTINGS.get(settings.neuron, ()) or value == getattr(type(settings), name):
            continue
        readers = " or ".join(neuron for neuron, names in OWN_SETTINGS.items() if name in names)
        named, remedy = settings.neuron, f"leave it out, or take --neuron {readers}"
        if named not in NAMED:
            named, remedy = "FILE", "--constants gives those of FILE"
        raise SpecError(option_of(name), f"left out with --neuron {named}", value, remedy)


def constant_setting(word: Any, name: str) -> str:
    """The check of one `NAME=NUMBER`."""
    constant, _, number = str(word).partition("=")
    try:
        usable = constant.isidentifier() and isfinite(float(number))
    except ValueError:
        usable = False
    if not usable:
        raise SpecError(name, "NAME=NUMBER", word, "such as v_th=1.5")
    return str(word)


def words_of(constants: Mapping[str, object]) -> list[str]:
    """Constants by name as words of the command line."""
    return [f"{name}={value}" for name, value in constants.items()]


def constants_of(settings: "Settings") -> dict[str, tuple[str, float]]:
    """Of each constant of the hidden neurons: the option that gives it, and its value.

    Raises:
        SpecError: `--constants` lacks one, or has one that the equations do not name, that another
            option gives, or that it has already.
    """
    named, usual = equations_of(settings).constants, {**USUAL}
    by_setting = {constant: s for constant, s in NAMED.get(settings.neuron, SHARED).items() if constant in named}
    own: dict[str, float] = {}
    for word in settings.constants:
        name, _, number = word.partition("=")
        if name in own:
            raise SpecError("--constants", "", f"has {name} twice", "name it once")
        if name in by_setting:
            option = option_of(by_setting[name])
            raise SpecError("--constants", "", f"has {name}, which {option} gives", f"give it by {option}")
        if name not in named:
            free = ", ".join(one for one in named if one not in by_setting)
            raise SpecError("--constants", "", f"has {name}, which the equations do not name", f"they name {free}")
        own[name] = float(number)
    lacking = [name for name in named if name not in {**by_setting, **usual, **own}]
    if lacking:
        raise SpecError("--constants", "", f"lacks {', '.join(lacking)}", f"give each, such as {lacking[0]}=0.5")
    found = {name: ("--constants", {**usual, **own}[name]) for name in named if name not in by_setting}
    return found | {name: (option_of(s), getattr(settings, s)) for name, s in by_setting.items()}


def time_constants_of(settings: "Settings") -> dict[str, float]:
    """The time constants of all neurons, by the options that give them."""
    taus = {name: given for name, given in constants_of(settings).items() if is_time_constant(name)}
    given = {_source(name, option): value for name, (option, value) in taus.items()}
    return {"--tau-mem": settings.tau_mem, "--tau-syn": settings.tau_syn, **given}


def _source(constant: str, option: str) -> str:
    return f"{option} {constant}" if option == "--constants" else option


def hidden_layer(pre: int, post: int, settings: "Settings", wiring: Mapping[str, Any]) -> SpikingLayer:
    """A hidden layer; `wiring`: further arguments of it. Where spikes arrive at several states,
    sources raise them in turn."""
    equations, constants = equations_of(settings), constants_of(settings)
    given: dict[str, Any] = {name: value for name, (_, value) in constants.items()}
    given |= {**wiring, "recurrent": settings.recurrent}
    if len(states := equations.arrivals) > 1:
        given["into"], own = ([states[n % len(states)] for n in range(size)] for size in (pre, post))
        given["into_rec"] = own if settings.recurrent else None
    options = {name: _source(name, option) for name, (option, _) in constants.items()}
    with placed("", {**options, "neuron": "--neuron", "constants": "--constants"}):
        if (kind := LAYERS.get(settings.neuron)) is not None:
            return kind(pre, post, **given)
        return Spiking(pre, post, neuron=equations, **given)


def option_of(name: str) -> str:
    """The option of a setting."""
    return f"--{name.replace('_', '-')}"
