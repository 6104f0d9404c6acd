"""`--average`: the average of all parameters is evaluated, kept and saved."""

from pathlib import Path

import torch

from delayprop.fast.runs.saved_runs import opened
from delayprop.fast.tasks import yin_yang
from delayprop.fast.train import main
from delayprop.fast.training import classify
from delayprop.fast.training.checkpoints import digest
from delayprop.fast.training.classify import Classification
from delayprop.fast.training.evaluation import Evaluation
from tests.support.runs.reading import Patch
from tests.support.runs.short_runs import classification, run

DECAY = 0.8


def test_the_average_decays_step_by_step(tmp_path: Path, monkeypatch: Patch) -> None:
    """The first step gives the first average; each later one adds a fifth of the parameters."""
    training, past = classification(average=DECAY), list[dict[str, torch.Tensor]]()
    learn = Classification._learn

    def watched(self: Classification, number: int) -> None:
        learn(self, number)
        past.append({name: value.detach().clone() for name, value in self.network.named_parameters()})

    monkeypatch.setattr(Classification, "_learn", watched)
    run(training, tmp_path / "run")
    assert len(past) == 9
    for name, value in training.evaluated.named_parameters():
        expected = past[0][name].double()
        for step in past[1:]:
            expected = DECAY * expected + (1 - DECAY) * step[name].double()
        assert torch.allclose(value.double(), expected, rtol=1e-5, atol=1e-6)
        if name.endswith(".w"):
            assert not torch.equal(value, past[-1][name])


def test_the_average_is_what_is_evaluated_and_kept(tmp_path: Path, monkeypatch: Patch) -> None:
    training, seen = classification(average=DECAY, choose="last"), list[torch.nn.Module]()
    evaluate = classify.evaluate

    def watched(network: torch.nn.Module, *given: object) -> object:
        seen.append(network)
        return evaluate(network, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(classify, "evaluate", watched)
    run(training, tmp_path / "run")
    assert len(seen) == 4 and all(network is training.evaluated is not training.network for network in seen)
    kept = torch.load(tmp_path / "run" / "network.pt", weights_only=True)
    for name, value in training.evaluated.state_dict().items():
        assert torch.equal(kept[name], value)


def test_a_finished_run_is_opened_with_its_average(tmp_path: Path, monkeypatch: Patch) -> None:
    monkeypatch.setattr(yin_yang, "POINTS", {"train": 60, "valid": 40, "test": 40})
    words = ["--task", "yin-yang", "--epochs", "2", "--hidden", "4", "--average", "0.5", "--out", str(tmp_path / "run")]
    assert main(words) in (0, 1)
    training, kept = opened(tmp_path / "run"), torch.load(tmp_path / "run" / "network.pt", weights_only=True)
    for network in (training.network, training.evaluated):
        assert all(torch.equal(value, kept[name]) for name, value in network.state_dict().items())


def test_without_an_average_the_learning_network_is_evaluated() -> None:
    training = classification()
    assert training.evaluated is training.network and "average" not in training.state()


def test_the_best_average_is_kept_and_patience_counts_from_it(tmp_path: Path, monkeypatch: Patch) -> None:
    """The average of epoch 2 is the best; two epochs later the run ends with it."""
    accuracies, averages = [0.3, 0.5, 0.4, 0.4, 0.9], list[str]()

    def evaluated(self: Classification, split: str, **_: object) -> Evaluation:
        averages.append(digest(self.evaluated.state_dict()))
        right = round(10 * accuracies.pop(0)) if split == "valid" else 1
        return Evaluation([[right, 10 - right, 0], [0, 0, 0]], 1.0)

    monkeypatch.setattr(Classification, "evaluate", evaluated)
    training = classification(average=DECAY, epochs=6, patience=2)
    run(training, tmp_path / "run")
    assert training.ended == 4 and training.best["epoch"] == 2
    kept = torch.load(tmp_path / "run" / "network.pt", weights_only=True)
    assert digest(kept) == averages[1] == averages[4], "the last evaluation is of the test split"
    assert digest(training.evaluated.state_dict()) == averages[3], "and the last average is back afterwards"
