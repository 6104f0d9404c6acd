"""The batches of a run as an ordinary torch `Dataset`: entry `n` is batch `n`, whoever asks for it, and when.

So a `DataLoader` may prepare them in other processes, ahead of the step that needs them, and nothing depends on how
many workers there are, on which trial was asked for before, or on a run having been resumed.
"""

from __future__ import annotations

import math
import signal
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from fast.data.augment import Augmentation, by_class
from fast.data.spike_files import SpikeData, batch_of
from fast.nn.spikes import Spikes
from fast.training.processes import Processes


class Batches(Dataset):
    """Those of all epochs; each epoch has an order of its own, and batches whose sizes differ by one at most.

    Args:
        data: the training split.
        duration: of a trial, ms.
        batch: trials a batch, at most; over all processes.
        augmentation: what happens to a trial.
        seed: of the orders and the augmentation.
        processes: who shares a batch; each takes its part.
        workers: processes that prepare batches; 0: this one does, when it needs them.
    """

    def __init__(
        self, data: SpikeData, duration: float, batch: int, augmentation: Augmentation, seed: int,
        processes: Processes, workers: int,
    ) -> None:
        self.data, self.duration, self.augmentation, self.seed = data, duration, augmentation, seed
        self.processes, self.workers, self.mates = processes, workers, by_class(data)
        self.an_epoch = math.ceil(len(data) / batch)
        processes.check_batch(len(data) // self.an_epoch)
        self._next = -1
        self._loaded: Iterator[tuple[Spikes, Tensor]] = iter(())

    def trials(self, number: int) -> np.ndarray:
        """The trials of a batch, over all processes."""
        epoch, batch = divmod(number, self.an_epoch)
        order = np.random.default_rng([self.seed, epoch]).permutation(len(self.data))
        return np.array_split(order, self.an_epoch)[batch]

    def __getitem__(self, number: int) -> tuple[Spikes, Tensor]:
        """This process's part of a batch: spikes and labels."""
        trials, epoch = self.processes.share(self.trials(number)), number // self.an_epoch
        if not self.augmentation.changes:
            return self.data.batch(trials, self.duration)
        given = [
            self.augmentation.trial(self.data, self.mates, int(n), self.seed, epoch, self.duration) for n in trials
        ]
        times, units = zip(*given, strict=True)
        return batch_of(times, units, self.data.channels, self.duration), torch.from_numpy(self.data.labels[trials])

    def take(self, number: int, last: int) -> tuple[Spikes, Tensor]:
        """The same, prepared ahead where there are workers; up to batch `last`, which is not taken."""
        if not self.workers:
            return self[number]
        if number != self._next:
            self._loaded = iter(())  # workers get a copy of this object, which must not hold others' work
            self._loaded = self._ahead(number, last)
        self._next = number + 1
        return next(self._loaded)

    def _ahead(self, first: int, last: int) -> Iterator[tuple[Spikes, Tensor]]:
        loader = DataLoader(
            self, batch_size=None, sampler=range(first, last), num_workers=self.workers, worker_init_fn=_deaf,
            multiprocessing_context="forkserver",
        )
        return iter(loader)


def _deaf(worker: int) -> None:
    """Ctrl-C reaches every process of a terminal; the run decides when it ends, and its workers end with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
