"""All tasks by name.

A task is a module with `add_options(parser)` and `prepare(job, processes)`. `prepare` refuses bad
data before anything is written, and returns a `Training` (`fast.training.engine`). A task that
classifies spike trains returns a `Classification`, and has `PRESETS`: settings by name, the default
first.
"""

from collections.abc import Mapping
from typing import Any

from delayprop.fast.tasks import braille, shd, spikes, ssc, yin_yang
from delayprop.fast.tasks.sequence import task as sequence
from delayprop.fast.training.settings import Settings

CLASSIFYING = {"yin-yang": yin_yang, "braille": braille, "shd": shd, "ssc": ssc, "spikes": spikes}
TASKS = {"sequence": sequence, **CLASSIFYING}


def settings_of(values: Mapping[str, Any]) -> Settings | sequence.SequenceSettings:
    """The settings of the task among options by name; `SpecError`: one is out of range."""
    kind = Settings if values["task"] in CLASSIFYING else sequence.SequenceSettings
    return kind.of(values)
