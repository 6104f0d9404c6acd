"""SIGINT and SIGTERM end a run after a step, or within it between two pieces of a layer.

The state that is saved is that of the last whole step. While pictures are drawn, a signal ends a
run at once: it is finished, and a picture is written whole or not at all. Python drops the error
of a handler that runs in a finaliser; the signal is then sent again, a little later.

Python runs a handler in the main thread, between two of its instructions: not while a kernel runs.
Kernels of a layer run in pieces, and a run looks for a signal between them. The second SIGINT must
end a process whatever the main thread does. Python's own C code writes the number of each signal
into a pipe at the moment of its arrival (`signal.set_wakeup_fd`); a thread waits at the other end.
Rejected: SIGINT with its default action, which only a handler could restore, and threads that
`sigwait`, since every other thread, torch's as well, would have to block the signal.
"""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Self

from delayprop.fast.training.processes import Processes

EXIT = {signal.SIGINT: 130, signal.SIGTERM: 143}  # the exit codes that shells use
INTERRUPTED = "interrupted; --resume goes on from the last checkpoint"
LATER = 0.02  # s, after which a finaliser has probably ended


class StoppedError(Exception):
    """A signal has come, and no step is half taken."""


class StopSignals:
    """Context that records the signals; the second SIGINT ends the process at once.

    Checkpoints are whole or absent, so this end does no harm; the lock of the folder ends with the
    process. `ends`: whether the process is the run's alone. If not, a second signal raises
    `KeyboardInterrupt` instead; and outside the main thread, to which Python gives all signals,
    none is recorded.
    """

    def __init__(self, processes: Processes, ends: bool = True) -> None:
        self.received: signal.Signals | None = None
        self.processes, self.ends, self._raises = processes, ends, False

    def __enter__(self) -> Self:
        listens = self.ends or threading.current_thread() is threading.main_thread()
        self._before = {number: signal.signal(number, self._receive) for number in EXIT if listens}
        if self.ends:
            reader, self._writer = os.pipe()
            os.set_blocking(self._writer, False)  # the C code may not wait
            self._pipe_before = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
            self._thread = threading.Thread(target=_end_at_second_interrupt, args=(reader,), daemon=True)
            self._thread.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if not self.ends:
            return
        signal.set_wakeup_fd(self._pipe_before)
        os.close(self._writer)  # the thread reads the end of the pipe
        self._thread.join()

    def _receive(self, number: int, frame: FrameType | None) -> None:
        again = self.received is not None and not self.ends
        self.received = self.received or signal.Signals(number)
        if again or self._raises:
            raise KeyboardInterrupt

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Context in which no step is under way: a signal, now or before, raises an interrupt."""
        hook, timers = sys.unraisablehook, list[threading.Timer]()

        def dropped(error: "sys.UnraisableHookArgs") -> None:
            if error.exc_type is KeyboardInterrupt:  # SIGTERM, since a second SIGINT ends the process
                timers.append(threading.Timer(LATER, os.kill, (os.getpid(), signal.SIGTERM)))
                timers[-1].start()
            else:
                hook(error)

        self._raises = True
        if self._before:  # else no signal comes here, and SIGTERM would end the process
            sys.unraisablehook = dropped
        try:
            self._raise_received()
            yield
            self._raise_received()
        finally:
            try:
                for timer in timers:
                    timer.cancel()
                    timer.join()
            finally:
                self._raises, sys.unraisablehook = False, hook

    def _raise_received(self) -> None:
        if self.received is not None:
            raise KeyboardInterrupt

    def check(self) -> None:
        """Every process calls it where no step is half taken; after a signal to one, all raise."""
        number = int(self.processes.max(0 if self.received is None else self.received))
        if number:
            self.received = signal.Signals(number)
            raise StoppedError(self.received.name)

    @property
    def exit_code(self) -> int:
        """The exit code of the signal received."""
        return EXIT[signal.Signals.SIGINT if self.received is None else self.received]


def _end_at_second_interrupt(reader: int) -> None:
    interrupts = 0
    while numbers := os.read(reader, 64):
        interrupts += numbers.count(signal.SIGINT)
        if interrupts > 1:
            os.write(2, f"\n{INTERRUPTED}\n".encode())  # the line may have a progress bar
            os._exit(EXIT[signal.SIGINT])  # `sys.exit` would wait for the threads of kernels
    os.close(reader)
