"""All tasks by name.

A task is a module with `add_options(parser)` and `prepare(options, dtype, processes)`. `prepare`
refuses bad options and data before anything is written, and returns a `Training`
(`fast.training.engine`). A task that classifies spike trains returns a `Classification`, and has
`PRESETS`: settings by name, the default first.
"""

from delayprop.fast.tasks import braille, shd, spikes, ssc, yin_yang
from delayprop.fast.tasks.sequence import task as sequence

CLASSIFYING = {"yin-yang": yin_yang, "braille": braille, "shd": shd, "ssc": ssc, "spikes": spikes}
TASKS = {"sequence": sequence, **CLASSIFYING}
