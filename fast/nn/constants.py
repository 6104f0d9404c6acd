"""The constants of neurons as parameters of a module."""

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from delayprop.spec import Population, SpecError
from delayprop.spec.errors import Verbatim

CONSTANTS = ("tau_mem", "tau_syn", "v_th", "v_reset")
LEAST_TAU = 0.1  # ms: lower bound of time constants that learn
LEAST_V_TH = 1e-3  # lower bound of thresholds that learn
HIGHEST_RESET = 0.99  # of the threshold: upper bound of resets that learn


def register_constants(module: nn.Module, population: Population, dtype: torch.dtype) -> None:
    """Register the constants of a population, None included, as parameters without gradient."""
    for name in CONSTANTS:
        values = getattr(population, name)
        constant = None if values is None else nn.Parameter(torch.tensor(values, dtype=dtype), requires_grad=False)
        module.register_parameter(name, constant)


def behind(module: nn.Module, name: str) -> list[nn.Parameter]:
    """The parameter `name` of a module, or those from which torch computes it."""
    if is_parametrized(module, name):
        return list(getattr(module, "parametrizations")[name].parameters(recurse=False))  # noqa: B009 - no stub has it
    found = (module._parameters.get(own) for own in (name, f"{name}_orig"))
    return [parameter for parameter in found if parameter is not None]


def clamp_(module: nn.Module, name: str, low: float | Tensor | None, high: float | Tensor | None = None) -> int:
    """Clamp the parameter `name` of a module, pruned or parametrized ones too; the entries changed.

    Raises:
        SpecError: it is the result of a parametrization that cannot be inverted, and out of bounds.
    """
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


def project_constants_(module: nn.Module, least_tau: float) -> int:
    """Clamp the constants that learn; how many entries changed.

    Time constants stay at least `least_tau` (ms), thresholds at least `LEAST_V_TH`, and resets at
    most `HIGHEST_RESET` of the threshold. A reset that does not learn bounds the threshold instead.
    """
    learns = {name: any(p.requires_grad for p in behind(module, name)) for name in CONSTANTS}
    changed = sum(clamp_(module, name, least_tau) for name in ("tau_mem", "tau_syn") if learns[name])
    if learns["v_th"]:
        v_reset = getattr(module, "v_reset")  # noqa: B009 - a type checker sees no attributes
        least = torch.zeros_like(v_reset) if learns["v_reset"] else v_reset / HIGHEST_RESET
        changed += clamp_(module, "v_th", least.clamp(min=LEAST_V_TH))
    if learns["v_reset"]:
        changed += clamp_(module, "v_reset", None, HIGHEST_RESET * getattr(module, "v_th"))  # noqa: B009
    return changed


def constants_text(module: nn.Module) -> str:
    """`tau_mem=20, tau_syn=5, ...` for a `repr`: one number if all neurons share it."""

    def text(values: Tensor) -> str:
        shared = not values.is_meta and bool((values == values[:1]).all())
        return f"{float(values[0]):g}" if shared and len(values) else "per neuron"

    given = {name: getattr(module, name) for name in CONSTANTS}
    return ", ".join(f"{name}={text(values.detach())}" for name, values in given.items() if values is not None)
