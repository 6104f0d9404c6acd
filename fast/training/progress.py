"""Progress on standard error: a bar on a terminal; a line per minute in a log or a notebook."""

import sys
import time

from tqdm import tqdm

EVERY = 60.0  # s between two lines


class Bar(tqdm):
    """A bar of `total` units, which goes away when it is closed; `prints`: whether it is shown."""

    def __init__(self, total: int, unit: str, prints: bool) -> None:
        super().__init__(total=total, unit=unit, leave=False, dynamic_ncols=True, disable=None if prints else True)
        self.size, self.of, self.prints, self.line_at = total, unit, prints, time.monotonic() + EVERY

    def show(self, done: int, name: str, **values: str) -> None:
        """Shows that `done` units of `name` are done, and values beside it."""
        if not self.disable:
            self.set_description(name, refresh=False)
            self.set_postfix(values, refresh=False)
            self.update(done - self.n)
        elif self.prints and time.monotonic() >= self.line_at:
            self.line_at = time.monotonic() + EVERY
            shown = "".join(f", {key} {value}" for key, value in values.items())
            print(f"{name}: {self.of} {done} of {self.size}{shown}", file=sys.stderr, flush=True)
