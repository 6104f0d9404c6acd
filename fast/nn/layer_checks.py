"""The arguments of a layer, checked before it is solved."""

import math
from collections.abc import Mapping, Sequence
from itertools import product

import torch
from torch import Tensor

from delayprop.fast.nn.devices import check_tensors
from delayprop.fast.nn.joining import check_spikes
from delayprop.fast.nn.spikes import Spikes
from delayprop.fast.nn.units import warn_if_short
from delayprop.spec import VOLTAGE_READOUTS, SpecError
from delayprop.spec.checks import of_type, one_of
from delayprop.spec.errors import UnsupportedError, Verbatim
from delayprop.spec.names import by_name
from delayprop.spec.neuron import LI, LIF, Neuron

TRANSPOSED = "`torch.nn.Linear` has [post, pre]: give its transpose, `weight.T`"


def constants_of(neuron: Neuron, constants: Mapping[str, Tensor], readout: str | None) -> dict[str, Tensor]:
    """The constants of equations, in their order; refuses others, an unknown readout, and a readout
    of equations other than LIF's and LI's."""
    if readout is not None:
        one_of(readout, "readout", VOLTAGE_READOUTS)
    of_type(neuron, "neuron", Neuron, "a `delayprop.Neuron`", "`delayprop.NEURONS` has some by name")
    if readout is not None and neuron not in (LIF, LI):
        got = Verbatim("neurons given by other equations")
        raise UnsupportedError("readout", "None, or one of LIF or LI neurons", got, "let an LI layer read their spikes")
    of_type(constants, "constants", Mapping, "a dictionary of tensors by name", "give one per neuron")
    constants = by_name(constants, "constants")
    if set(constants) != set(neuron.constants):
        names, got = ", ".join(neuron.constants) or "none", Verbatim(", ".join(map(str, constants)) or "none")
        raise SpecError("constants", f"those of the equations, {names}", got, "give each of them, and no other")
    return {name: constants[name] for name in neuron.constants}


def check_arguments(
    spikes: Spikes, w: Tensor, d: Tensor, constants: Mapping[str, Tensor], exists: Tensor | None, recurrent: bool
) -> None:
    """Refuse spikes, synapses `[pre, post]` or constants `[post]` of another shape, dtype or
    device, or that are not finite, and negative delays."""
    given = {"w": w, "d": d} | {_named(name): constant for name, constant in constants.items()}
    check_spikes(spikes)
    spikes.check()
    if w.ndim == 2 and w.shape[1] == 0:
        raise SpecError("w", "of shape [pre, post] with at least one neuron", Verbatim(list(w.shape)), "give a neuron")
    check_tensors({**given, "exists": exists, "spikes.times": spikes.times, "spikes.offsets": spikes.offsets})
    own = w.shape[0] - spikes.size if w.ndim == 2 and recurrent else 0
    if own < 0 or (own and own % w.shape[1]) or (recurrent and not own):
        expected = f"of shape [pre + post, post] with pre = {spikes.size}, the number of neurons outside the layer"
        raise SpecError("w", expected, Verbatim(list(w.shape)), "add one row per neuron of a recurrent layer")
    if w.ndim != 2 or w.shape[0] != spikes.size + own:
        expected = f"of shape [pre, post] with pre = {spikes.size}, the number of neurons in `spikes`"
        raise SpecError("w", expected, Verbatim(list(w.shape)), "one row per source neuron")
    for name, tensor in given.items():
        shape = tuple(w.shape) if name in ("w", "d") else (w.shape[1],)
        if tuple(tensor.shape) != shape:
            raise SpecError(name, f"of shape {list(shape)}", Verbatim(list(tensor.shape)), "`w` is [pre, post]")
        if tensor.dtype not in (torch.float32, torch.float64):
            raise SpecError(name, "float32 or float64", Verbatim(tensor.dtype), "convert it with `.to(dtype)`")
    if d.dtype != w.dtype:
        raise SpecError("d", f"of the dtype of `w`, {w.dtype}", Verbatim(d.dtype), "convert it with `.to(dtype)`")
    if exists is not None and (exists.dtype != torch.bool or exists.shape != w.shape):
        got = Verbatim(f"{exists.dtype} {list(exists.shape)}")
        raise SpecError("exists", f"boolean, of shape {list(w.shape)}", got, "give True where a synapse exists")
    now = {name: tensor.detach() for name, tensor in given.items()}
    # An extreme is NaN where an entry is; the host waits for a GPU once.
    ends = [end.double() for tensor in now.values() if tensor.numel() for end in torch.aminmax(tensor)]
    least = now["d"].min().double() if d.numel() else torch.zeros_like(ends[0])
    *extremes, least_delay = torch.stack([*ends, least]).tolist()
    if all(map(math.isfinite, extremes)) and least_delay >= 0:
        return
    for name, tensor in now.items():
        if not bool(torch.isfinite(tensor).all()):
            got = Verbatim(f"{int((~torch.isfinite(tensor)).sum())} NaN or infinite entries")
            raise SpecError(name, "finite", got, "look for the step that made them")
    remedy = "project delays after each optimiser step, as `layer.project_()` does"
    raise SpecError("d", "at least 0 (ms)", least_delay, remedy)


def warn_of_seconds(delays: Sequence[Tensor], duration: float) -> None:
    """Warn of first delays that look like seconds: not all 0, and far below the trial."""
    largest = max((float(d.detach().max()) for d in delays if d.numel()), default=0.0)
    if 0 < largest < duration / 1000:
        warn_if_short(largest, "d.max()")


def _named(constant: str) -> str:
    """The name of a constant beside other tensors: a neuron may have a constant `w` too."""
    return f"constants.{constant}" if constant in ("w", "d", "exists") else constant


def check_shapes(w: Tensor, d: Tensor, pre: int, post: int, of: str) -> None:
    """Refuse weights, or delays that several synapses may share, of another shape than a layer's;
    `of`: the end of their names."""
    for name, given, shapes in (("w", w, [(pre, post)]), ("d", d, [*product((pre, 1), (post, 1))])):
        if tuple(given.shape) not in shapes:
            expected = f"of shape [pre, post], {[pre, post]}"
            remedy = TRANSPOSED if tuple(given.shape) == (post, pre) else "give one row per source"
            raise SpecError(f"{name}{of}", expected, Verbatim(list(given.shape)), remedy)


def check_pair(given: dict[str, Tensor]) -> None:
    """Refuse a threshold without a reset, or a reset without a threshold."""
    if ("v_th" in given) != ("v_reset" in given):
        missing, other = ("v_reset", "v_th") if "v_th" in given else ("v_th", "v_reset")
        raise SpecError(missing, "", f"is missing, and `{other}` is given", "give both, or none for LI neurons")


def check_lif(given: dict[str, Tensor]) -> None:
    """Refuse values of LIF or LI neurons that the specification refuses."""
    now = {name: tensor.detach() for name, tensor in given.items()}
    positive = [name for name in ("tau_mem", "tau_syn", "v_th") if name in now]
    found = [now[name].min().double() for name in positive]
    found.append((now["v_reset"] >= now["v_th"]).any().double() if "v_th" in now else torch.zeros_like(found[0]))
    *ends, reset_too_high = torch.stack(found).tolist()
    for name, least in zip(positive, ends, strict=True):
        if least <= 0:
            raise SpecError(name, "above 0", least, "constants are positive")
    if reset_too_high:
        j = int((now["v_reset"] >= now["v_th"]).nonzero()[0])
        bound, reset = float(now["v_th"][j]), float(now["v_reset"][j])
        raise SpecError(f"v_reset[{j}]", f"below `v_th`, {bound}", reset, "lower it")


def check_into(into: Tensor | None, rows: int, neuron: Neuron) -> None:
    """Refuse anything but one number of an arrival state per row of the weights."""
    if into is None:
        return
    of_type(into, "into", Tensor, "a tensor of whole numbers", "give a number per row of `w`")
    if into.dtype != torch.int64 or into.shape != (rows,):
        got = Verbatim(f"{str(into.dtype).removeprefix('torch.')}, {list(into.shape)}")
        raise SpecError("into", f"int64, [{rows}]", got, "give a number per row of `w`")
    for number in torch.stack(torch.aminmax(into)).tolist() if into.numel() else ():
        if not 0 <= number < len(neuron.arrivals):
            raise SpecError("into", f"from 0 to {len(neuron.arrivals) - 1}", number, "count the states of `arrivals`")
