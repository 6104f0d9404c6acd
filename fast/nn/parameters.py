"""The parameters of a network in the groups that an optimiser needs, and delays within bounds."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from fast.nn.layers import LI, LIF
from fast.nn.network import Network
from spec import SpecError
from spec.checks import positive_number
from spec.errors import Verbatim

KINDS = ("weights", "delays", "constants")


def param_groups(
    net: nn.Module, lr: float, delay_lr: float, constants_lr: float | None = None
) -> list[dict[str, Any]]:
    """Groups for an optimiser: `torch.optim.Adam(param_groups(net, lr=2e-3, delay_lr=1.0))`.

    Delays are in ms, so they take larger steps than weights, and no weight decay. Parameters of
    other modules go with the weights. Each parameter is in one group.

    Args:
        net: any module.
        lr, delay_lr: step sizes of weights, and of delays (ms).
        constants_lr: of time constants, thresholds and resets, which then learn; None: they do not.

    Raises:
        SpecError: `net` is no module, or a step size no positive number.
    """
    if not isinstance(net, nn.Module):
        got = Verbatim(type(net).__name__)
        raise SpecError("net", "a torch module", got, "give the network itself, not its parameters")
    if delay_lr == 0:
        remedy = "to keep delays as they are: `layer.d.requires_grad_(False)`"
        raise SpecError("delay_lr", "a finite number above 0 (ms)", delay_lr, remedy)
    rates = {"weights": positive_number(lr, "lr"), "delays": positive_number(delay_lr, "delay_lr", "ms")}
    if constants_lr is not None:
        rates["constants"] = positive_number(constants_lr, "constants_lr", "ms")
    kinds: dict[str, list[nn.Parameter]] = {kind: [] for kind in KINDS}
    for module in net.modules():
        own = dict(module.named_parameters(recurse=False))
        spiking = isinstance(module, LIF | LI) or type(module).__module__ == Network.__module__
        for name, parameter in own.items():
            kind = "weights"
            if spiking and name in ("d", "d_rec"):
                kind = "delays"
            elif spiking and name not in ("w", "w_rec"):
                kind = "constants"
                parameter.requires_grad_(parameter.requires_grad or constants_lr is not None)
            kinds[kind].append(parameter)
    plain = {"delays": {"weight_decay": 0.0}, "constants": {"weight_decay": 0.0}, "weights": {}}
    return [
        {"params": kinds[kind], "lr": rate, "name": kind, **plain[kind]} for kind, rate in rates.items() if kinds[kind]
    ]


@torch.no_grad()
def project_(net: nn.Module) -> int:
    """Clamp all delays of a network to their bounds, after an optimiser step; how many changed."""
    changed = 0
    for module in net.modules():
        if isinstance(module, LIF | LI):
            changed += module.project_()
        elif isinstance(module, Network):
            for synapses in module.synapses:
                changed += int((synapses.d < 0).sum())
                synapses.d.clamp_(0.0, math.inf)
    return changed
