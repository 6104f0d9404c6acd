"""A training as it is asked for, by words of the command, Python values, or a run's record."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from os.path import abspath
from typing import Any, Generic, Protocol, Self, TypeVar

import torch

from delayprop.fast.nn.devices import DTYPES
from delayprop.fast.training.settings import GROUPS, Settings


class TaskSettings(Protocol):
    """The settings of a task: a frozen dataclass, whose fields are options."""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """The settings among values by name; `SpecError`: one is out of range."""


S = TypeVar("S", bound=TaskSettings)


@dataclass(frozen=True)
class Job(Generic[S]):
    """A training as it is asked for; never changed in place. All fields but `settings`, `changed`
    and `kept_sizes` are options of the command.

    Attributes:
        settings: of the task, an option per field.
        data, valid_speakers, workers, preset: None where the task has no such option.
        changed: the names of the settings that differ from the preset's.
        kept_sizes: the inputs and classes of a network that a finished run has kept.
    """

    task: str
    settings: S
    seed: int
    device: str
    dtype: str
    data: str | list[str] | None = None
    valid_speakers: list[int] | None = None
    workers: int | None = None
    out: str | None = None
    resume: bool = False
    save_seconds: float = 60.0
    tensorboard: bool = False
    preset: str | None = None
    changed: str = ""
    kept_sizes: tuple[int, int] | None = None

    @classmethod
    def of(cls, values: Mapping[str, Any], settings: S) -> Self:
        """The job of these values by name, in which those of the settings may occur too."""
        own = {one.name for one in fields(cls)} - {"settings", "kept_sizes"}
        return cls(settings=settings, **{name: value for name, value in values.items() if name in own})

    @property
    def torch_dtype(self) -> torch.dtype:
        return DTYPES[self.dtype]

    def record(self) -> dict[str, Any]:
        """The options by name, as `options.json` has them, without those that the task lacks; paths
        of data are absolute, since `evaluate` may run in another working directory."""
        own = {one.name: getattr(self, one.name) for one in fields(self) if one.name not in ("settings", "kept_sizes")}
        given = {name: value for name, value in own.items() if value is not None or name == "out"}
        if self.data:
            given["data"] = abspath(self.data) if isinstance(self.data, str) else [*map(abspath, self.data)]
        values = {name: list(v) if isinstance(v, tuple) else v for name, v in vars(self.settings).items()}
        order = [name for names in GROUPS.values() for name in names] if isinstance(self.settings, Settings) else values
        return {**given, **{name: values[name] for name in order}}
