"""All tasks by name.

`docs/dev/adding.md` says what a module of a task has; the first of its `PRESETS` is the default.
"""

from delayprop.fast.tasks import braille, shd, spikes, ssc, yin_yang
from delayprop.fast.tasks.sequence import task as sequence

CLASSIFYING = {"yin-yang": yin_yang, "braille": braille, "shd": shd, "ssc": ssc, "spikes": spikes}
TASKS = {"sequence": sequence, **CLASSIFYING}
