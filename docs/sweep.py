"""A sweep over settings with Optuna: start one worker per core; the workers share a journal file.

    pip install optuna
    python docs/sweep.py sweeps/yin-yang --task yin-yang --epochs 20 &
    python docs/sweep.py sweeps/yin-yang --task yin-yang --epochs 20 &

Each trial is one run of `fast.train` in its own folder, judged by its best validation accuracy; no
run evaluates the test split (`--no-test`). A killed worker leaves the others and the journal whole.
"""

import json
import sys
from pathlib import Path

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from delayprop.fast.train import main as train

TRIALS = 10  # per worker


def objective(trial: optuna.Trial, folder: Path, options: list[str]) -> float:
    """Train once; the best accuracy on the validation split."""
    lr = trial.suggest_float("lr", 1e-3, 1e-1, log=True)
    delay_lr = trial.suggest_float("delay_lr", 1e-2, 10.0, log=True)
    out = folder / f"trial-{trial.number}"
    code = train([*options, "--lr", str(lr), "--delay-lr", str(delay_lr), "--no-test", "--out", str(out)])
    if code in (130, 143):
        trial.study.stop()
    if code:
        raise optuna.TrialPruned(f"exit code {code}")
    return max(json.loads(line)["valid_accuracy"] for line in (out / "history.jsonl").read_text().splitlines())


def main() -> None:
    """Arguments: the folder, then the options of all runs."""
    folder, options = Path(sys.argv[1]), sys.argv[2:]
    folder.mkdir(parents=True, exist_ok=True)
    storage = JournalStorage(JournalFileBackend(str(folder / "journal.log")))
    study = optuna.create_study(study_name="sweep", storage=storage, direction="maximize", load_if_exists=True)
    study.optimize(lambda trial: objective(trial, folder, options), n_trials=TRIALS)
    print(f"best of {len(study.trials)} so far: {study.best_value:.1%} with {study.best_params}")


if __name__ == "__main__":
    main()
