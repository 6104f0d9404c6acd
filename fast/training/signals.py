"""Being asked to stop: SIGINT and SIGTERM end a run after the step that is under way, and what it learned is kept."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Self

from fast.training.processes import Processes

EXIT = {signal.SIGINT: 130, signal.SIGTERM: 143}  # as a shell counts them


class StoppedError(Exception):
    """The run was asked to stop, at a point where nothing is half done."""


class Stopping:
    """Within, the first signal only asks; a second SIGINT interrupts at once. Processes stop together."""

    def __init__(self, processes: Processes) -> None:
        self.asked: signal.Signals | None = None
        self.processes = processes

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._ask) for number in EXIT}
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked == signal.SIGINT == number:
            raise KeyboardInterrupt
        self.asked = signal.Signals(number)

    def check(self) -> None:
        """Called where nothing is half done, by all processes.

        Raises:
            StoppedError: a signal has come, to any of them.
        """
        asked = int(self.processes.most(0 if self.asked is None else self.asked))
        if asked:
            self.asked = signal.Signals(asked)
            raise StoppedError(self.asked.name)

    @property
    def code(self) -> int:
        """The exit code that says which signal it was."""
        return EXIT[signal.Signals.SIGINT if self.asked is None else self.asked]
