"""A bar that lives on a terminal while a run is under way; nothing is printed where nobody watches."""

from __future__ import annotations

from tqdm import tqdm

from fast.training.epoch import Epoch


class Progress:
    """One bar an epoch, on standard error.

    Args:
        steps: of an epoch.
        here: whether this process prints at all.
    """

    def __init__(self, steps: int, here: bool) -> None:
        self.steps, self.hidden = steps, None if here else True  # None: hidden unless on a terminal
        self.bar: tqdm | None = None

    def show(self, epoch: int, done: int, so_far: Epoch) -> None:
        """So many steps of an epoch are done."""
        if self.bar is None:
            self.bar = tqdm(total=self.steps, disable=self.hidden, leave=False, dynamic_ncols=True, unit="step")
        self.bar.set_description(f"epoch {epoch}", refresh=False)
        self.bar.set_postfix(so_far.shown(), refresh=False)
        self.bar.update(done - self.bar.n)

    def clear(self) -> None:
        """The epoch is over: its line takes the place of the bar."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None
