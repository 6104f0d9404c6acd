"""The processes that share a run: one, or those that `torchrun` has started, which split every batch between them.

Each holds the whole network and all data; each computes the gradient of its trials, and DistributedDataParallel adds
them up. What is drawn does not depend on how many there are, so their gradient is that of one process to rounding. The
first process alone writes and prints.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Self

import numpy as np
import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from spec import SpecError
from spec.errors import Verbatim

OTHERS = 2  # exit code where the first process has said what is wrong


class Processes:
    """Who takes part. Without `torchrun` that is this process alone, and nothing is sent to anybody.

    Args:
        device: what the run computes on; GPUs talk by NCCL, CPUs by gloo.

    Attributes:
        rank, world: the number of this process, and how many there are.
        restarted: whether `torchrun` has started them again, after one was lost.
    """

    def __init__(self, device: str = "cpu") -> None:
        self.world, self.rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
        self.restarted = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) > 0
        self.device = torch.device(device)
        self._parallel: list[DistributedDataParallel] = []
        if self.world == 1:
            return
        if self.device.type == "cuda":
            self.device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
            torch.cuda.set_device(self.device)
        distributed.init_process_group("nccl" if self.device.type == "cuda" else "gloo")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.world > 1:
            # The last to let go of the group must not be a reducer: it would hold the GIL while it waits for the
            # group's threads, which may wait for the GIL.
            for module in self._parallel:
                del module.logger, module.reducer
            distributed.destroy_process_group()

    @property
    def first(self) -> bool:
        """Whether this is the one that writes and prints."""
        return self.rank == 0

    def share(self, trials: np.ndarray) -> np.ndarray:
        """Those that this process takes."""
        return trials[self.rank :: self.world]

    def check_batch(self, smallest: int) -> None:
        """Refuse batches that leave a process without a trial.

        Raises:
            SpecError: it names `--batch`.
        """
        if smallest < self.world:
            got = Verbatim(f"a batch of {smallest}")
            raise SpecError("--batch", f"a trial for each of {self.world} processes", got, "raise it, or start fewer")

    def wrapped(self, module: nn.Module) -> nn.Module:
        """The module whose backward pass leaves the mean of all processes' gradients."""
        if self.world == 1 or not any(parameter.requires_grad for parameter in module.parameters()):
            return module
        self._parallel.append(DistributedDataParallel(module))
        return self._parallel[-1]

    def total(self, tensor: Tensor) -> Tensor:
        """The sum over all processes."""
        return self._reduced(tensor, distributed.ReduceOp.SUM)

    def least(self, value: float) -> float:
        """The least of all processes' values."""
        return float(self._reduced(torch.tensor(value, dtype=torch.float64), distributed.ReduceOp.MIN))

    def most(self, value: float) -> float:
        """The largest of all processes' values."""
        return -self.least(-value)

    def _reduced(self, tensor: Tensor, how: distributed.ReduceOp.RedOpType) -> Tensor:
        if self.world == 1:
            return tensor
        found = tensor.detach().clone().to(self.device)
        distributed.all_reduce(found, how)
        return found.to(tensor.device)

    def from_first(self, make: Callable[[], bytes]) -> bytes:
        """What `make` gives in the first process, in all of them."""
        if self.world == 1:
            return make()
        content, size = b"", -1
        try:
            if self.first:
                content = make()
                size = len(content)
        finally:  # where it raises, the others must not wait for what does not come
            sent_size = torch.tensor(size if self.first else 0, device=self.device)
            distributed.broadcast(sent_size, 0)
        if (size := int(sent_size)) < 0:
            raise SystemExit(OTHERS)
        sent = torch.frombuffer(bytearray(content), dtype=torch.uint8) if self.first else torch.empty(size).byte()
        sent = sent.to(self.device)
        distributed.broadcast(sent, 0)
        return sent.cpu().numpy().tobytes()
