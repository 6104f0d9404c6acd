"""`fast.train` refuses options, folders, full disks; a prepared one changes no file, no screen."""

import errno
import json
import os
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from unittest.mock import Mock

import pytest

import delayprop.fast.run
import delayprop.reference.__main__
from delayprop.fast.data.records import LOG, OPTIONS, SEAL
from delayprop.fast.tasks import yin_yang
from delayprop.fast.tasks.sequence import task
from delayprop.fast.train import main
from delayprop.fast.training.checkpoints import HALF, Checkpoints, digest
from delayprop.fast.training.run_folder import RunFolder
from delayprop.spec import SpecError
from tests import ROOT
from tests.support.runs.reading import Capture, Patch, history, refusal, rewrite
from tests.support.runs.short_runs import OPTIONS as TASK
from tests.support.runs.short_runs import classification, data_of, job, killed, sequence, trained
from tests.support.runs.written_files import splits


@pytest.mark.parametrize("method", ["mkdir", "iterdir"])
def test_a_place_without_permission_is_refused(method: str, tmp_path: Path, monkeypatch: Patch) -> None:
    """The method refuses, as tests may run as root, who may write anywhere."""
    monkeypatch.setattr(Path, method, Mock(side_effect=OSError(errno.EACCES, os.strerror(errno.EACCES), "a place")))
    with pytest.raises(SpecError, match=r"^`--out` must be a folder that can be made and read, got Permission denied"):
        RunFolder(str(tmp_path), "task", {})


@pytest.mark.parametrize("where", ["data.new_files.new_file", "training.engine.draw"])
def test_a_full_disk_is_one_line(where: str, tmp_path: Path, monkeypatch: Patch, capsys: Capture) -> None:
    full = Mock(side_effect=OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "a file"))
    monkeypatch.setattr(f"delayprop.fast.{where}", full)
    said = refusal(capsys, main, "--task", "sequence", "--epochs", "1", "--out", tmp_path / "run", code=4)
    assert "No space left on device: " in said and "make room, then go on with --resume" in said


def test_two_runs_never_share_a_folder(tmp_path: Path, monkeypatch: Patch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Path, "exists", lambda path: False)
    assert [RunFolder(None, "task", {}).path.name for _ in range(3)] == ["task-1", "task-2", "task-3"]


@pytest.mark.parametrize("error", [MemoryError("8 GiB"), RuntimeError("DefaultCPUAllocator: can't allocate memory")],
                         ids=["numpy", "torch"])
def test_memory_that_runs_out_is_exit_3(error: Exception, tmp_path: Path, monkeypatch: Patch, capsys: Capture) -> None:
    monkeypatch.setattr(task, "_step", Mock(side_effect=error))
    said = refusal(capsys, main, "--task", "sequence", "--out", tmp_path / "run", code=3)
    assert said.startswith("python -m fast.train: out of memory (")


def test_control_other_errors_of_torch_are_not_taken_for_it(tmp_path: Path, monkeypatch: Patch) -> None:
    monkeypatch.setattr(task, "_step", Mock(side_effect=RuntimeError("a fault of ours")))
    with pytest.raises(RuntimeError, match="a fault of ours"):
        main(["--task", "sequence", "--out", str(tmp_path / "run")])


@pytest.mark.parametrize(("command", "name", "run_name"), [
    (delayprop.fast.run, "fast.run", "run_case"), (delayprop.reference.__main__, "reference", "run")
])
def test_a_case_without_memory_is_one_line_and_exit_3(
    command: ModuleType, name: str, run_name: str, monkeypatch: Patch, capsys: Capture
) -> None:
    monkeypatch.setattr(command, run_name, Mock(side_effect=MemoryError))
    assert command.main([str(ROOT / "spec" / "conformance" / "cases" / "one-neuron.json")]) == 3
    line = "out of memory; make the network, the batch or the trial smaller"
    assert capsys.readouterr() == ("", f"python -m {name}: {line}\n")


WORDS = ["--task", "sequence", "--epochs", "2", "--out"]


@pytest.mark.pictures
def test_a_link_in_a_prepared_folder_leads_to_no_other_file(tmp_path: Path, capsys: Capture) -> None:
    """Whoever prepares a folder could otherwise have any file of the user overwritten."""
    letter, run = tmp_path / "letter", tmp_path / "run"
    letter.write_text("dear")
    run.mkdir()
    (run / f".options.json{HALF}").symlink_to(letter)
    (run / f".checkpoint-000000000.pt{HALF}").symlink_to(letter)
    assert main([*WORDS, str(run)]) in (0, 1)
    for name in ("delays.png", "voltages.png", "learning.gif", LOG):
        (run / name).rename(run / f"own-{name}")
        (run / name).symlink_to(letter if name != LOG else run / f"own-{name}")
    assert main([*WORDS, str(run), "--resume", "--epochs", "3"]) in (0, 1)
    assert letter.read_text() == "dear" and not any(path.is_symlink() for path in run.iterdir())
    assert len((run / f"own-{LOG}").read_text().splitlines()) < len((run / LOG).read_text().splitlines())
    (run / ".lock").unlink()
    (run / ".lock").symlink_to(tmp_path / "new")
    said = refusal(capsys, main, *WORDS, run, "--resume", "--epochs", "3")
    assert "`--out` must be a folder that can be made and read, got" in said and not (tmp_path / "new").exists()


@pytest.fixture
def run(tmp_path: Path) -> Path:
    assert main([*WORDS, str(tmp_path)]) in (0, 1)
    return tmp_path


def test_options_of_a_stranger_move_no_cursor(run: Path, capsys: Capture) -> None:
    rewrite(run / OPTIONS, **{"dtype": "\x1b[2Jfloat32", "\x1b]0;": 1})
    said = refusal(capsys, main, *WORDS, run, "--resume")
    assert "\x1b" not in said and r"--\x1b]0;` must be" in said


@pytest.mark.parametrize("name", [LOG, OPTIONS, "checkpoint-000000002.pt"])
def test_a_pipe_in_the_folder_of_a_run_is_refused(name: str, run: Path, capsys: Capture) -> None:
    (run / name).unlink()
    os.mkfifo(run / name)
    capsys.readouterr()
    code, said = main([*WORDS, str(run), "--resume"]), capsys.readouterr()
    assert "it is a pipe or a device" in said.out + said.err
    assert code == (2 if name in (LOG, OPTIONS) else 1), "a checkpoint has one before it"


@pytest.mark.parametrize("name", [LOG, OPTIONS])
def test_json_without_end_in_the_folder_of_a_run_is_refused(name: str, run: Path, capsys: Capture) -> None:
    (run / SEAL).unlink()
    (run / name).write_text("[" * 200_000)
    assert "`--resume` must be given for a run" in refusal(capsys, main, *WORDS, run, "--resume")


def test_a_folder_in_the_way_of_a_file_is_named(run: Path, capsys: Capture) -> None:
    (run / f".result.json{HALF}").mkdir()
    assert "put it right, then go on with --resume" in refusal(capsys, main, *WORDS, run, "--resume", code=4)
    (run / f".result.json{HALF}").rmdir()
    (run / LOG).unlink()
    (run / LOG).mkdir()
    said = refusal(capsys, main, *WORDS, run, "--resume")
    assert "must be a folder whose files can be read, got history.jsonl: Is a directory" in said


def test_a_run_is_resumed_with_its_own_options_alone(copy: Path) -> None:
    """More epochs may follow only where the task says so."""
    options, refused = json.loads((copy / OPTIONS).read_text()), set()
    for name, value in options.items():
        try:
            RunFolder(str(copy), "spikes", {**options, name: "another"}, resume=True).close()
        except SpecError as error:
            refused.add(name)
            stored = value if len(str(value)) <= 60 else "that of its options.json"
            assert str(error).startswith(f"`--{name.replace('_', '-')}` must be {stored}, as this run was started with")
    assert {*options} - refused == {"out", "resume", "save_seconds", "changed", "preset"}
    assert {"seed", "dtype", "epochs", "data_sha256"} < refused and len(refused) > 50


def test_the_command_refuses_other_options_and_other_data(copy: Path, runs: Path, capsys: Capture) -> None:
    given = [*TASK, *data_of(runs), "--out", str(copy), "--resume"]
    for changed in (["--hidden", "4", "4"], ["--recurrent"], ["--jitter", "1"]):
        assert changed[0] in refusal(capsys, main, *given, *changed, late=True)
    other = splits(copy, 20, "test", "train", "valid")
    assert "`--data-sha256` must be" in refusal(capsys, main, *given, "--data", *other, late=True)


def test_more_epochs_may_follow_where_the_schedule_does_not_end(run: Path, capsys: Capture) -> None:
    """The run is known by what it has become, and a result belongs to its own epochs."""
    assert "`--lr` must be" in refusal(capsys, main, *WORDS, run, "--resume", "--lr", "2")
    assert main([*WORDS, str(run), "--resume", "--epochs", "4"]) in (0, 1)
    assert "resumed after step 2 of 4" in capsys.readouterr().out
    assert json.loads((run / OPTIONS).read_text())["epochs"] == 4 and len(history(run)) == 8
    said = "`--epochs` must be at least 4, as before, got 1; give as many, or more"
    assert said in refusal(capsys, main, *WORDS, run, "--resume", "--epochs", "1")
    assert len(history(run)) == 8 and (run / "result.json").exists()
    for schedule in ("constant", "cosine"):
        assert classification(schedule=schedule).extendable == (schedule == "constant") and sequence().extendable
    trained(run.parent / "short", schedule="constant", epochs=1)
    killed(classification(schedule="constant", epochs=4), 6, run.parent / "short", resume=True)
    assert not (run.parent / "short" / "result.json").exists()


@pytest.mark.parametrize("more", [["--resume"], []], ids=["resumed", "again"])
@pytest.mark.parametrize("left", [None, [], [".lock", OPTIONS, f".{OPTIONS}{HALF}"]], ids=["no", "empty", "killed"])
def test_a_run_without_a_checkpoint_is_begun(
    left: list[str] | None, more: list[str], run: Path, tmp_path: Path, capsys: Capture
) -> None:
    """A job that is queued again always passes `--resume`; all runs end in the same bits."""
    straight, again = digest(Checkpoints(run).load()[0]["training"]), tmp_path / "again"
    if left is not None:
        again.mkdir()
    for name in left or []:
        (again / name).write_text("{}")
    main([*WORDS, str(again), *more])
    said = capsys.readouterr().out.splitlines()
    assert (said[0] == f"no checkpoint in {again} yet: the run starts") == bool(more)
    assert said[-1] == f"state sha256 {straight}"
    assert main([*WORDS, str(again)]) == 2, "a finished run is not overwritten"


def test_two_runs_never_work_in_one_folder(tmp_path: Path) -> None:
    given = job().record()
    with closing(RunFolder(str(tmp_path / "run"), "letters", given)), pytest.raises(SpecError, match="no other run"):
        RunFolder(str(tmp_path / "run"), "letters", given, resume=True)
    RunFolder(str(tmp_path / "run"), "letters", given, resume=True).close()


def test_a_run_resumes_under_the_new_name_of_its_preset(tmp_path: Path, monkeypatch: Patch) -> None:
    monkeypatch.setattr(yin_yang, "POINTS", {"train": 40, "valid": 40, "test": 40})
    best = yin_yang.PRESETS["best"]
    monkeypatch.setattr(yin_yang, "PRESETS", {"best": best, "renamed": best, "other": replace(best, lr=2 * best.lr)})
    given = ["--task", "yin-yang", "--epochs", "1", "--hidden", "3", "--no-test", "--out", str(tmp_path / "run")]
    assert main(given) == 0
    assert main([*given, "--resume", "--preset", "renamed"]) == 0
    assert main([*given, "--resume", "--preset", "other"]) == 2


REFUSED = {
    "": "--task",
    "--task shapes": "'shapes'",
    "--task sequence --taks x": "--taks",
    "--task sequence --ep 3": "--ep",
    "--task sequence --hidden 3": "--hidden",
    "--task braille --jitter 1": "--jitter",
    "--task sequence --epochs 0": "`--epochs` must be a whole number from 1",
    "--task sequence --epochs 1.5": "--epochs",
    "--task sequence --lr 0": "`--lr` must be a finite number above 0",
    "--task sequence --lr 1e7": "`--lr` must be at most 1e+06 (ms), got 10000000.0; give",
    "--task braille --delay-lr 2e6": "`--delay-lr` must be at most 1e+06 (ms), got",
    f"--task sequence --out {'a' * 300}": "`--out` must be a folder that can be made",
    "--task sequence --out .": "`--out` must be a new or empty folder",
    "--task sequence --out letter.txt": "File exists",
    "--task sequence --out letter.txt/run": "`--out` must be a folder that can be made and read, got Not a directory",
    "--task sequence --out \udcff": "`--out` must be a name of letters that can be printed",
    "--task sequence --resume": "`--resume` must be given with --out",
    "--task sequence --resume --out .": "`--resume` must be given with the --out of a run",
    "--task sequence --jitter -1": "`--jitter` must be from 0 to 10.0 (ms), got -1.0",
    "--task sequence --seed -1": "`--seed` must be a whole number from 0",
    "--task sequence --seed x": "--seed",
    "--task sequence --device cuda": "`device` cuda needs",
    "--task sequence --device tpu": "--device",
    "--task sequence --dtype float16": "--dtype",
    "--task braille --batch 0": "`--batch` must be",
    "--task sequence --save-seconds -1": "`--save-seconds` must be at least 0 (s), got",
    "--task sequence --inputs 1": "`--inputs` must be a whole number from 2 to 16, got 1; give the number of inputs",
    "--task sequence --inputs 2.5": "--inputs",
    "--task sequence --distractors -1": "`--distractors` must be a whole number from 0 to 100, got -1; give 0",
    "--task braille": "`--data` must be the folder of braille_{train,valid,test}.h5, got nothing",
    "--task braille --data nowhere": "got no such folder as nowhere; name",
    "--task yin-yang --hidden 4 0": "`--hidden` must be a whole number from 1",
    "--task yin-yang --tau-mem -1": "`--tau-mem` must be",
    "--task yin-yang --gain 0": "`--gain` must be a finite number above 0",
    "--task yin-yang --lr nan": "`--lr` must be a finite number above 0",
    "--task yin-yang --lr 2e6": "`--lr` must be at most 1e+06, got 2000000.0; give",
    "--task yin-yang --delay-lr 0": "`--delay-lr` must be a finite number above 0 (ms)",
    "--task yin-yang --blend 1.5": "`--blend` must be at least 0 and at most 1",
    "--task yin-yang --ease-in 0": "`--ease-in` must be above 0",
    "--task yin-yang --weight-decay -0.1": "`--weight-decay` must be from 0",
    "--task yin-yang --recurrent --rec-delay 30 --delay 1 --max-delay 20":
        "`--rec-delay` must be from 0.1 to --max-delay, 20.0 (ms), got 30.0",
    "--task yin-yang --neuron alfi": "got 'alfi'; did you mean `alif`?",
    "--task yin-yang --neuron li": "`--neuron` must be lif, alif, adlif, rise, coupled, two-synapses, or a JSON file",
    "--task yin-yang --neuron alif.json": "`alif.json` must be a readable neuron file, got No such file or directory",
    "--task yin-yang --neuron .": "`.` must be a readable neuron file, got Is a directory",
    f"--task yin-yang --neuron {'a' * 300}.json": "File name too long",
    "--task yin-yang --neuron letter.txt": "`--neuron` must be one whole JSON object, got Expecting value at line 1",
    "--task yin-yang --constants v_th": "NAME=NUMBER, one finite number for all neurons, got 'v_th'; such as v_th=1.5",
    "--task yin-yang --constants v_th=nan": "got 'v_th=nan'; such as v_th=1.5",
    "--task yin-yang --constants v_th=1 --constants v_th=2": "`--constants` has v_th twice; name it once",
    "--task yin-yang --constants v_th=1 v_reset=2": "`--constants v_reset` must be below v_th, 1, got 2.0",
    "--task yin-yang --constants v_th=1e-50": "`--constants v_th` must be a number that float32 can hold, got 1e-50",
    "--task yin-yang --constants v_th=-1": "`--constants v_th` must be a finite number above 0, got -1.0",
    "--task yin-yang --constants tau_mem=3": "`--constants` has tau_mem, which --tau-mem gives; give it by --tau-mem",
    "--task yin-yang --constants b=3": "has b, which the equations do not name; they name v_th, v_reset",
    "--task yin-yang --learn-constants --least-tau 6":
        "`--least-tau` must be at most --tau-mem and --tau-syn, 2.5 (ms), got 6.0",
    "--task yin-yang --max-delay 1e39": "`--max-delay` must be at most 1e+06 (ms), got 1e+39",
    "--task yin-yang --average 1": "`--average` must be at least 0 and below 1",
    "--task yin-yang --label-smoothing 1": "`--label-smoothing` must be at least 0 and below 1",
    "--task yin-yang --w-mean 1e300": "`--w-mean` must be from -1e+06 to 1e+06, got 1e+300",
    "--task yin-yang --dropout 1": "`--dropout` must be at least 0 and below 1",
    "--task yin-yang --pool 0": "`--pool` must be a whole number from 1",
    "--task yin-yang --delay 30 --max-delay 20": "`--delay` must be at most --max-delay, 20.0 (ms), got 30.0",
    "--task yin-yang --drop 1": "`--drop` must be at least 0 and below 1",
    "--task yin-yang --patience 2 --choose last": "`--patience` must be 0 with --choose last",
    "--task yin-yang --readout first_spike_time --gain 2":
        "`--gain` must be 1.0 with --readout first_spike_time, got 2.0; give it, or change --readout",
    "--task yin-yang --readout first_spike_time --loss relative_spike_time_mse --time-scale 2":
        "`--time-scale` must be 1.0 with --loss relative_spike_time_mse, got 2.0; give it, or change --loss",
    "--task yin-yang --duration -1": "`--duration` must be a finite number of at least 0 (ms), got -1.0",
    "--task yin-yang --freeze-delays --freeze-weights": "given without --freeze-delays, got both",
    "--task yin-yang --workers -1": "--workers",
    "--task yin-yang --preset papers": "--preset",
    "--task yin-yang --readout sum": "--readout",
    "--task yin-yang --hidden x": "--hidden",
    "--task yinyang": "; did you mean `yin-yang`? (see --help)\n",
    "--task shd --hiden 3": "; did you mean `--hidden`? (see --help)\n",
    "--task shd --delay-rl=3": "; did you mean `--delay-lr`? (see --help)\n",
    "--task shd --hidden 8,8": "'8,8'; separate numbers by spaces (see --help)\n",
    "--task shd --seed 0,5": "'0,5'; write a decimal point (see --help)\n",
    "--task shd --schedule cosin": "; did you mean `cosine`? (see --help)\n",
    "--task xxxx": ") (see --help)\n",
}


@pytest.mark.parametrize("options", REFUSED, ids=lambda options: options[:60])
def test_bad_options_exit_2_in_one_line(options: str, tmp_path: Path, monkeypatch: Patch, capsys: Capture) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DELAYPROP_DATA", raising=False)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    Path("letter.txt").write_text("dear")
    assert REFUSED[options] in refusal(capsys, main, *options.split())
    assert [one.name for one in tmp_path.iterdir()] == ["letter.txt"], "a refused run must leave nothing behind"
