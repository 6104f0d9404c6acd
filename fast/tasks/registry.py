"""All tasks by name.

A task is a module with `add_options(parser)`, `SETTINGS`, the type of its settings, and
`prepare(job, processes)`. `prepare` refuses bad data before anything is written, and returns a
`Training` (`fast.training.engine`). A task that classifies spike trains returns a `Classification`,
and has `PRESETS`: settings by name, the default first.
"""

from collections.abc import Mapping
from typing import Any

from delayprop.fast.tasks import braille, shd, spikes, ssc, yin_yang
from delayprop.fast.tasks.sequence import task as sequence
from delayprop.fast.training.job import Job

CLASSIFYING = {"yin-yang": yin_yang, "braille": braille, "shd": shd, "ssc": ssc, "spikes": spikes}
TASKS = {"sequence": sequence, **CLASSIFYING}


def job_from(values: Mapping[str, Any]) -> Job:
    """The job of options by name, those of its settings included; `SpecError`: a setting is out of
    range. `KeyError`: one is missing."""
    return Job.of(values, TASKS[values["task"]].SETTINGS.of(values))
