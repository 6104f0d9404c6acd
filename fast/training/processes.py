"""The processes that share a run: one, or those of `torchrun`, which split every batch.

Each process holds the whole network and all data, and computes the gradient of its own trials;
DistributedDataParallel averages the gradients. Random draws do not depend on the number of
processes, so the result is that of one process to rounding. Only the first writes and prints.
"""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Self, TypeVar

import numpy as np
import torch
from torch import Tensor, distributed, nn
from torch.distributed.rendezvous import rendezvous
from torch.nn.parallel import DistributedDataParallel

from delayprop.fast.cpu.threads import asked_between_pieces
from delayprop.spec.errors import SpecError, Verbatim

EXIT_OF_OTHERS = 2  # exit code of the other processes after an error of the first
T = TypeVar("T")


class Processes:
    """The group of `world` processes, of which this one has the number `rank`. Without `torchrun`
    it is this process alone, and nothing is sent. GPUs communicate by NCCL, CPUs by gloo.
    `restarted`: whether `torchrun` has restarted the group after the loss of a process."""

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
        backend = "nccl" if self.device.type == "cuda" else "gloo"
        if int(os.environ.get("GROUP_WORLD_SIZE", "1")) > 1:  # each node counts its own attempts
            distributed.init_process_group(backend)
            return
        store, rank, world = next(rendezvous("env://"))
        # Without a prefix, processes that were restarted would read the addresses of those before.
        own = distributed.PrefixStore(f"attempt {os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", store)
        distributed.init_process_group(backend, store=own, rank=rank, world_size=world)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.world > 1:
            # The last reference to the group must not be a reducer's: it would hold the GIL while
            # it waits for the group's threads, which may wait for the GIL.
            for module in self._parallel:
                del module.logger, module.reducer
            distributed.destroy_process_group()

    @property
    def is_first(self) -> bool:
        """Whether this process writes and prints."""
        return self.rank == 0

    def shard(self, trials: np.ndarray) -> np.ndarray:
        return trials[self.rank :: self.world]

    def check_batch(self, smallest: int) -> None:
        """Refuses batches that leave a process without a trial."""
        if smallest < self.world:
            got = Verbatim(f"a batch of {smallest}")
            raise SpecError("--batch", f"a trial for each of {self.world} processes", got, "raise it, or start fewer")

    def data_parallel(self, module: nn.Module) -> nn.Module:
        """The module with a backward pass that averages gradients over all processes."""
        if self.world == 1 or not any(parameter.requires_grad for parameter in module.parameters()):
            return module
        self._parallel.append(DistributedDataParallel(module))
        return self._parallel[-1]

    def asked(self, check: Callable[[], None]) -> AbstractContextManager[None]:
        """Context in which kernels call `check` between pieces, which may raise. Several processes
        do not: all of them must stop at one point."""
        return asked_between_pieces(check) if self.world == 1 else nullcontext()

    def sum(self, tensor: Tensor) -> Tensor:
        return self._reduce(tensor, distributed.ReduceOp.SUM)

    def min(self, value: float) -> float:
        return float(self._reduce(torch.tensor(value, dtype=torch.float64), distributed.ReduceOp.MIN))

    def max(self, value: float) -> float:
        return -self.min(-value)

    def _reduce(self, tensor: Tensor, operation: distributed.ReduceOp.RedOpType) -> Tensor:
        if self.world == 1:
            return tensor
        reduced = tensor.detach().clone().to(self.device)
        distributed.all_reduce(reduced, operation)
        return reduced.to(tensor.device)

    def broadcast(self, make: Callable[[], T]) -> T:
        """What `make` returns in the first process, in all; where it raises, the others exit. It is
        sent as a pickle, which only the processes of this run exchange; None is no value."""
        if self.world == 1:
            return make()
        sent: list[T | None] = [None]
        try:
            if self.is_first:
                sent[0] = make()
        finally:  # the others wait, so None is sent where `make` raises
            distributed.broadcast_object_list(sent, 0, device=self.device)
        if sent[0] is None:
            raise SystemExit(EXIT_OF_OTHERS)
        return sent[0]
