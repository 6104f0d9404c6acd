"""The parameters of a network in the groups that an optimiser needs, and within their bounds."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from delayprop.fast.nn.constants import (
    LEAST_TAU,
    Neurons,
    behind,
    clamp_,
    is_time_constant,
    key_of,
    project_constants_,
)
from delayprop.fast.nn.network import Network
from delayprop.fast.nn.synaptic_layer import LEAST_RECURRENT_DELAY, SynapticLayer
from delayprop.spec.checks import of_type, one_of, positive_number
from delayprop.spec.errors import SpecError, Verbatim

KINDS = ("weights", "delays", "constants", "thresholds")
OF_NAME = {"w": "weights", "w_rec": "weights", "d": "delays", "d_rec": "delays"}
HOLDERS = ("torch.nn.modules.module", "torch.nn.modules.container", "torch.nn.utils.parametrize")
"""Modules of torch whose classes hold parameters that someone else made."""


def param_groups(
    net: nn.Module, lr: float, delay_lr: float, constants_lr: float | None = None, threshold_lr: float | None = None,
    kinds: Mapping[str, str] | None = None,
) -> list[dict[str, Any]]:
    """Groups for an optimiser: `torch.optim.Adam(param_groups(net, lr=2e-3, delay_lr=1.0))`.

    Delays are in ms, so they take larger steps than weights. Delays and constants have no weight
    decay. Each parameter that learns is in one group; pruned and parametrized ones too. Parameters
    of torch's own modules go with the weights.

    Args:
        net: any module.
        lr, delay_lr: step sizes of weights, and of delays (ms).
        constants_lr: of time constants (ms), which then learn; None: they do not.
        threshold_lr: of all other constants, such as thresholds and resets; as `constants_lr`.
        kinds: `weights`, `delays`, `constants` or `thresholds`, for parameters of modules of your
            own; by the name of a parameter, or of a module for all parameters in it.

    Raises:
        SpecError: `net` is no module; a step size is no positive number, or missing; a parameter is
            of no known kind.
    """
    of_type(net, "net", nn.Module, "a torch module", "give the network itself, not its parameters")
    if delay_lr == 0:
        remedy = "to keep delays as they are: `layer.d.requires_grad_(False)`"
        raise SpecError("delay_lr", "a finite number above 0 (ms)", delay_lr, remedy)
    rates = {"weights": positive_number(lr, "lr"), "delays": positive_number(delay_lr, "delay_lr", "ms")}
    if constants_lr is not None:
        rates["constants"] = positive_number(constants_lr, "constants_lr", "ms")
    if threshold_lr is not None:
        rates["thresholds"] = positive_number(threshold_lr, "threshold_lr")
    by_kind = by_kinds(net, kinds)
    for kind, name in (("constants", "constants_lr"), ("thresholds", "threshold_lr")):
        if kind not in rates and (learning := [own for own, p in by_kind[kind].items() if p.requires_grad]):
            expected = f"the step size of {learning[0]}, which requires a gradient"
            raise SpecError(name, expected, None, f"give it, or `{learning[0]}.requires_grad_(False)`")
        for parameter in by_kind[kind].values() if kind in rates else ():
            parameter.requires_grad_()
    decay = {kind: {} if kind == "weights" else {"weight_decay": 0.0} for kind in KINDS}
    return [
        {"params": list(by_kind[kind].values()), "lr": rate, "name": kind, **decay[kind]}
        for kind, rate in rates.items() if by_kind[kind]
    ]


def by_kinds(net: nn.Module, given: Mapping[str, str] | None = None) -> dict[str, dict[str, nn.Parameter]]:
    """The parameters of a network by kind and name; `given`: the `kinds` of `param_groups`.
    `SpecError`: a parameter that learns is of no known kind, or of several."""
    known: dict[nn.Parameter, set[str]] = {}
    for module in net.modules():
        for kind, parameters in _own(module):
            for parameter in parameters:
                known.setdefault(parameter, set()).add(kind)
    given, used, unknown = dict(given or {}), set[str](), list[str]()
    found: dict[str, dict[str, nn.Parameter]] = {kind: {} for kind in KINDS}
    for name, parameter in net.named_parameters():
        words = name.split(".")
        within = [part for n in range(len(words), -1, -1) if (part := ".".join(words[:n])) in given]
        used.update(within)
        kinds = {one_of(given[within[0]], f"kinds[{within[0]!r}]", KINDS)} if within else known.get(parameter, set())
        if len(kinds) == 1:
            found[kinds.pop()][name] = parameter
        elif parameter.requires_grad:
            unknown.append(name)
    if unknown:
        remedy = f"say it, as `kinds={{{unknown[0]!r}: 'weights'}}`, or one of {', '.join(KINDS[1:])}"
        got = Verbatim(f"nothing for {', '.join(unknown)}")
        raise SpecError("kinds", "given for parameters of no known kind", got, remedy)
    if strange := sorted({*given} - used):
        raise SpecError("kinds", "of parameters or modules of the network", strange[0], "see `net.named_parameters()`")
    return found


def _own(module: nn.Module) -> list[tuple[str, list[nn.Parameter]]]:
    """The parameters of a module without its children, with their kinds where these are known."""
    written = type(module).__bases__[0] if is_parametrized(module) else type(module)
    if isinstance(module, Neurons) or written.__module__ == Network.__module__:
        constants = module.constants if isinstance(module, Neurons) else ()
        of = {key_of(module, name): "constants" if is_time_constant(name) else "thresholds" for name in constants}
        return [(kind, behind(module, name)) for name, kind in (of | OF_NAME).items()]
    if not written.__module__.startswith("torch.") or written.__module__ in HOLDERS:
        return []
    computed = getattr(module, "parametrizations", ()) if is_parametrized(module) else ()
    own = [*module.parameters(recurse=False), *(p for name in computed for p in behind(module, name))]
    return [("weights", own)]


@torch.no_grad()
def project_(net: nn.Module, least_tau: float = LEAST_TAU) -> int:
    """Clamp the parameters of a network to their bounds, after an optimiser step; how many changed.

    Bounds and errors are those of `LIF.project_`. Delays within a loop of populations of a
    `Network` stay at least 0.1 ms.
    """
    changed = 0
    for module in net.modules():
        if isinstance(module, SynapticLayer):
            changed += module.project_(least_tau)
        elif isinstance(module, Network):
            loops = {c for group in module.groups for layer in group.inside for c in layer}
            for c, synapses in enumerate(module.synapses):
                learns = any(d.requires_grad for d in behind(synapses, "d"))
                low = LEAST_RECURRENT_DELAY if c in loops and learns else 0.0
                changed += clamp_(synapses, "d", low * synapses.exists.to(synapses.d.dtype))
            changed += sum(project_constants_(constants, least_tau) for constants in module.constants)
    return changed
