"""The constants of neurons as parameters of a module."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spec import Population

CONSTANTS = ("tau_mem", "tau_syn", "v_th", "v_reset")


def register_constants(module: nn.Module, population: Population, dtype: torch.dtype) -> None:
    """Register the constants of a population, None included, as parameters without gradient."""
    for name in CONSTANTS:
        values = getattr(population, name)
        constant = None if values is None else nn.Parameter(torch.tensor(values, dtype=dtype), requires_grad=False)
        module.register_parameter(name, constant)


def constants_text(module: nn.Module) -> str:
    """`tau_mem=20, tau_syn=5, ...` for a `repr`: one number if all neurons share it."""

    def text(values: Tensor) -> str:
        shared = not values.is_meta and bool((values == values[:1]).all())
        return f"{float(values[0]):g}" if shared and len(values) else "per neuron"

    given = {name: getattr(module, name) for name in CONSTANTS}
    return ", ".join(f"{name}={text(values.detach())}" for name, values in given.items() if values is not None)
