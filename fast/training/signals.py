"""SIGINT and SIGTERM end a run after the step that is being taken; its state is then saved."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Self

from fast.training.processes import Processes

EXIT = {signal.SIGINT: 130, signal.SIGTERM: 143}  # the exit codes that shells use


class StoppedError(Exception):
    """A signal has come, and no step is half taken."""


class StopSignals:
    """Context that records the first signal; a second SIGINT interrupts at once."""

    def __init__(self, processes: Processes) -> None:
        self.received: signal.Signals | None = None
        self.processes = processes

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._receive) for number in EXIT}
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.received == signal.SIGINT == number:
            raise KeyboardInterrupt
        self.received = signal.Signals(number)

    def check(self) -> None:
        """Every process calls it, at points where no step is half taken.

        Raises:
            StoppedError: one of the processes has received a signal.
        """
        number = int(self.processes.max(0 if self.received is None else self.received))
        if number:
            self.received = signal.Signals(number)
            raise StoppedError(self.received.name)

    @property
    def exit_code(self) -> int:
        """The exit code of the signal received."""
        return EXIT[signal.Signals.SIGINT if self.received is None else self.received]
