"""The batches of a run as a torch `Dataset`: entry `n` depends on `n` and the seed alone.

So a `DataLoader` may prepare batches in worker processes, and a resumed run gets equal batches.
"""

import math
import signal
from collections.abc import Iterator
from copy import copy

import numpy as np
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from delayprop.fast.data.augment import Augmentation, by_class
from delayprop.fast.data.spike_data import SpikeData
from delayprop.fast.nn.spikes import Spikes


class Batches(Dataset):
    """The batches of all epochs; each epoch has its own order, and sizes that differ by at most 1.

    `batch`: largest number of trials per batch, over the `world` processes that share it.
    `workers`: processes that prepare batches ahead; 0: this process prepares each one.
    """

    def __init__(
        self, data: SpikeData, duration: float, batch: int, augmentation: Augmentation, seed: int, workers: int = 0,
        rank: int = 0, world: int = 1,
    ) -> None:
        self.data, self.duration, self.batch, self.augmentation, self.seed = data, duration, batch, augmentation, seed
        self.workers, self.rank, self.world, self.classmates = workers, rank, world, by_class(data)
        self.per_epoch = math.ceil(augmentation.trials(data) / batch)
        self._next = -1
        self._loader: Iterator[tuple[Spikes, Tensor]] = iter(())

    def trials(self, number: int) -> np.ndarray:
        """The trials of a batch, over all processes; see `Augmentation.trials`."""
        epoch, batch = divmod(number, self.per_epoch)
        order = np.random.default_rng([self.seed, epoch]).permutation(self.augmentation.trials(self.data))
        return np.array_split(order, self.per_epoch)[batch]

    def __getitem__(self, number: int) -> tuple[Spikes, Tensor]:
        """Spikes and labels of this process's part of a batch."""
        trials, epoch = self.trials(number)[self.rank :: self.world], number // self.per_epoch
        if self.augmentation == Augmentation():  # changes no trial
            return self.data.batch(trials, self.duration)
        augmented = [self.augmentation.trial(self.data, self.classmates, int(n), self.seed, epoch, self.duration)
                     for n in trials]
        times, units, labels = zip(*augmented, strict=True)
        return self.data.batch_of(times, units, np.array(labels), self.duration)

    def take(self, number: int, end: int) -> tuple[Spikes, Tensor]:
        """As `self[number]`; workers prepare the batches after it too, up to `end`, exclusive."""
        if not self.workers:
            return self[number]
        if number != self._next:
            self._loader = iter(())  # ends earlier workers; a copy, which workers get, must hold no loader
            # A loader of this object itself would be a cycle: its workers would live on until some
            # garbage collection, which then waits 5 s for each of them.
            self._loader = iter(DataLoader(
                copy(self), batch_size=None, sampler=range(number, end), num_workers=self.workers,
                worker_init_fn=_ignore_interrupts, multiprocessing_context="forkserver",
            ))
        self._next = number + 1
        return next(self._loader)


def _ignore_interrupts(worker: int) -> None:
    """Ctrl-C reaches workers too, but only the run ends them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
