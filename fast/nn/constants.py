"""The constants of neurons as parameters of a module."""

from collections.abc import Mapping
from types import MappingProxyType

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from delayprop.spec import Population
from delayprop.spec.errors import SpecError, Verbatim
from delayprop.spec.neuron import Neuron
from delayprop.spec.population import CONSTANTS

LEAST_TAU = 0.1  # ms: lower bound of time constants that learn
LEAST_V_TH = 1e-3  # lower bound of thresholds that learn
HIGHEST_RESET = 0.99  # of the threshold: upper bound of resets that learn

RESERVED = (
    "w", "d", "w_rec", "d_rec", "pre", "post", "max_delay", "record", "warns_of_silence", "readout",
    "equations", "delays", "mask", "mask_rec", "into", "into_rec", "recurrent", "dtype", "neuron", "self",
    "parametrizations",
)
"""Attributes and arguments of layers."""
OF_TORCH = frozenset(vars(nn.Module()))
ELSEWHERE = "constants[{}]"
"""The parameter of a constant whose name is taken; no constant can be called so."""


class Neurons(nn.Module):
    """Neurons with their constants, `[size]`, by name; None where their equations lack one.

    `equations`: of the neurons; None for inputs. A constant whose name is taken is in `constants`
    alone: `layer.constants["w"]`.
    """

    equations: Neuron | None

    tau_mem: nn.Parameter | None
    tau_syn: nn.Parameter | None
    v_th: nn.Parameter | None
    v_reset: nn.Parameter | None

    def _register(self, population: Population, dtype: torch.dtype) -> None:
        """Register the constants of a population as parameters without gradient."""
        self.equations = None if population.kind == "input" else population.equations
        for name in CONSTANTS:
            if name not in population.values:
                self.register_parameter(name, None)
        taken = {*RESERVED, *OF_TORCH, *dir(type(self))}
        for name, values in population.values.items():
            parameter = nn.Parameter(torch.tensor(values, dtype=dtype), requires_grad=False)
            self.register_parameter(ELSEWHERE.format(name) if name in taken else name, parameter)

    @property
    def constants(self) -> Mapping[str, Tensor]:
        """The constants that the equations name, in their order."""
        names = self.equations.constants if self.equations else ()
        return MappingProxyType({name: getattr(self, key_of(self, name)) for name in names})


def key_of(neurons: nn.Module, constant: str) -> str:
    """The name of the parameter of a constant: that of the constant, or `constants[w]` of a `w`."""
    elsewhere = ELSEWHERE.format(constant)
    return elsewhere if hasattr(neurons, elsewhere) else constant


def behind(module: nn.Module, name: str) -> list[nn.Parameter]:
    """The parameter `name` of a module, or those from which torch computes it."""
    if is_parametrized(module, name):
        return list(getattr(module, "parametrizations")[name].parameters(recurse=False))  # noqa: B009 - no stub has it
    found = (module._parameters.get(own) for own in (name, f"{name}_orig"))
    return [parameter for parameter in found if parameter is not None]


def clamp_(module: nn.Module, name: str, low: float | Tensor | None, high: float | Tensor | None = None) -> int:
    """Clamp the parameter `name` of a module, pruned or parametrized ones too; the entries changed.
    `SpecError`: it results from a parametrization that cannot be inverted, and is out of bounds."""
    pruned = module._parameters.get(f"{name}_orig")  # from which `torch.nn.utils.prune` computes `name` in each pass
    values = getattr(module, name) if pruned is None else pruned
    bounded = values.clamp(low, high)  # type: ignore[arg-type]  # torch's stubs know numbers or tensors, not a mixture
    changed = int((bounded != values).sum())
    if not is_parametrized(module, name):
        values.copy_(bounded)
    elif changed:
        try:
            setattr(module, name, bounded)
        except (NotImplementedError, RuntimeError):
            got = Verbatim(f"{changed} entries outside, made by a parametrization")
            raise SpecError(name, "within its bounds", got, "bound it there, or give that a `right_inverse`") from None
    return changed


def is_time_constant(name: str) -> bool:
    """Whether a constant is a time, in ms, by its name."""
    return name.startswith("tau")


def project_constants_(neurons: Neurons, least_tau: float) -> int:
    """Clamp the constants that learn; how many entries changed.

    Time constants stay at least `least_tau` (ms), thresholds at least `LEAST_V_TH`, and resets at
    most `HIGHEST_RESET` of the threshold. A reset that does not learn bounds the threshold instead.
    """
    keys = {name: key_of(neurons, name) for name in (*CONSTANTS, *neurons.constants)}
    learns = {name: any(p.requires_grad for p in behind(neurons, key)) for name, key in keys.items()}
    taus = [keys[name] for name, own in learns.items() if own and is_time_constant(name)]
    changed = sum(clamp_(neurons, key, least_tau) for key in taus)
    if neurons.v_th is None or neurons.v_reset is None:
        return changed
    if learns["v_th"]:
        least = torch.zeros_like(neurons.v_reset) if learns["v_reset"] else neurons.v_reset / HIGHEST_RESET
        changed += clamp_(neurons, "v_th", least.clamp(min=LEAST_V_TH))
    if learns["v_reset"]:
        changed += clamp_(neurons, "v_reset", None, HIGHEST_RESET * neurons.v_th)
    return changed


def constants_text(neurons: Neurons) -> str:
    """`tau_mem=20, tau_syn=5, ...` for a `repr`: one number if all neurons share it."""

    def text(values: Tensor) -> str:
        shared = not values.is_meta and bool((values == values[:1]).all())
        return f"{float(values[0]):g}" if shared and len(values) else "per neuron"

    return ", ".join(f"{name}={text(values.detach())}" for name, values in neurons.constants.items())
