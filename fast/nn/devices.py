"""The devices and precisions on offer: the CPU, and a GPU if numba-cuda and torch support it."""

from collections.abc import Callable, Mapping
from importlib.util import find_spec

import torch
from numba import config
from torch import Tensor

from delayprop.spec.checks import one_of
from delayprop.spec.errors import SpecError, UnsupportedError, Verbatim

DEVICES = ("cpu", "cuda")
CUDA_GROUP = "by `pip install '.[cuda]'`, with a pip of 25 or newer, in a clone of the project"
DTYPES = {"float64": torch.float64, "float32": torch.float32}
# `torch.autograd.Function.apply` calls it too. It is private: where it is missing, torch refuses.
within_transforms: Callable[[], bool] = getattr(torch._C, "_are_functorch_transforms_active", bool)


def check_device(device: str) -> None:
    """Refuse a device of another kind than `DEVICES` (`SpecError`), and one of which a part is
    missing, by the name of the part (`UnsupportedError`); nothing falls back to the CPU."""
    if one_of(device.partition(":")[0], "device", DEVICES) == "cpu":
        return
    for missing, fault, remedy in (
        (find_spec("numba_cuda") is None, "needs numba-cuda", f"install it {CUDA_GROUP}"),
        (torch.version.cuda is None, "needs a torch that is built for CUDA", f"install one of CUDA 13 {CUDA_GROUP}"),
        (not torch.cuda.is_available(), "needs a GPU, and torch finds none", "run where `nvidia-smi` lists one"),
    ):
        if missing:
            raise UnsupportedError("device", "", f"cuda {fault}", f"{remedy}, or use the CPU")


def check_tensors(named: Mapping[str, Tensor | None]) -> None:
    """Refuse tensors on another device than the first (`SpecError`), on a device outside `DEVICES`,
    or on a GPU that `check_device` refuses (`UnsupportedError`)."""
    given = {name: tensor for name, tensor in named.items() if tensor is not None}
    for name, tensor in given.items():
        if tensor.device.type not in DEVICES:
            raise UnsupportedError(name, "on the CPU or on a GPU of CUDA", Verbatim(tensor.device), "use `.to('cpu')`")
    first, device = next((name, tensor.device) for name, tensor in given.items())
    for name, tensor in given.items():
        if tensor.device != device:
            remedy = f"use `.to({str(device)!r})`"
            raise SpecError(name, f"on the device of `{first}`, {device}", Verbatim(tensor.device), remedy)
    if device.type == "cuda":
        check_device("cuda")


def on_gpu(device: torch.device) -> bool:
    """Whether the CUDA kernels run tensors of this device: on a GPU, and in Numba's simulator."""
    return device.type == "cuda" or bool(getattr(config, "ENABLE_CUDASIM", 0))
