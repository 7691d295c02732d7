"""Distributed training on this machine with gloo: several processes reach the losses of one process."""

import json
import os
import re
import signal
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from finscribe_core.constants import EXIT_DONE, EXIT_RETRY, EXIT_USER_ERROR
from finscribe_core.errors import FailureReason
from tests.support.trainer_process import PATIENCE, TRAINER, TrainerProcess

GOLDEN = Path(__file__).parents[2] / "golden/loss_curves/lora.json"
"""The losses of one process; tests/unit/training/test_loss_curves.py writes them."""


@pytest.fixture
def config(sample: Path) -> dict:
    """Four rows per step: with two processes, each accumulates two batches of one row."""
    return {
        "model_name_or_path": str(sample / "model"),
        "dataset_path": str(sample / "train.jsonl"),
        "validation_path": str(sample / "val.jsonl"),
        "lora": {"dropout": 0.0},
        "training": {
            "learning_rate": 5e-3,
            "max_steps": 6,
            "per_device_train_batch_size": 1,
            "gradient_accumulation_steps": 2,
            "eval_steps": 2,
            "logging_steps": 1,
            "gradient_checkpointing": False,
            "dataloader_num_workers": 0,
        },
        "evaluation": {"enabled": False, "training_documents": 0},
    }


class Started(TrainerProcess):
    """`finscribe train` in a folder of its own."""

    def rank(self, number: int) -> psutil.Process:
        """A training process."""
        children = psutil.Process(self.process.pid).children()
        return next(child for child in children if child.environ().get("RANK") == str(number))


TWO = ["--nproc-per-node", "2"]


@contextmanager
def started(
    folder: Path, config: dict, options: Sequence[str] = TWO, program: Sequence[str] = TRAINER
) -> Iterator[Started]:
    run = Started(folder, config, options, program=program)
    try:
        yield run
    finally:
        run.close()


def curve(out: Path) -> dict[str, list[float]]:
    metrics = json.loads((out / "metrics.json").read_text())
    return {
        "base_eval_loss": [metrics["base_eval_loss"]],
        "loss": [entry["loss"] for entry in metrics["train_history"]],
        "eval_loss": [entry["eval_loss"] for entry in metrics["eval_history"]],
    }


def assert_the_losses_of_one_process(out: Path) -> None:
    expected = json.loads(GOLDEN.read_text())
    found = curve(out)
    assert found.keys() == expected.keys()
    for metric, values in expected.items():
        assert found[metric] == pytest.approx(values, rel=1e-4), metric


def test_two_machines_reach_the_losses_of_one_process(config, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        endpoint = f"127.0.0.1:{free.getsockname()[1]}"
    torchrun = [
        *(sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--nproc-per-node", "1"),
        *("--rdzv-backend", "c10d", "--rdzv-endpoint", endpoint, "--local-addr", "127.0.0.1"),
        *("-m", "finscribe_trainer"),
    ]
    here, there = tmp_path / "here", tmp_path / "there"
    with started(here, config, [], torchrun) as one, started(there, config, [], torchrun) as other:
        assert (one.ends(), other.ends()) == (EXIT_DONE, EXIT_DONE), one.log + other.log
    (written,) = [run.out for run in (one, other) if (run.out / "final_model").is_dir()]
    assert_the_losses_of_one_process(written)


def test_all_processes_train_with_the_rate_that_was_chosen_for_them(config, tmp_path):
    config["training"] |= {"learning_rate": "auto"}
    with started(tmp_path / "auto", config) as auto:
        assert auto.ends() == EXIT_DONE, auto.log
    chosen = float(auto.result.learning_rate.chosen)
    config["training"] |= {"learning_rate": chosen, "per_device_train_batch_size": 2}
    with started(tmp_path / "by-hand", config, []) as by_hand:
        assert by_hand.ends() == EXIT_DONE, by_hand.log
    assert auto.result.learning_rate.lowest is not None
    for metric, values in curve(by_hand.out).items():
        assert curve(auto.out)[metric] == pytest.approx(values, rel=1e-3), metric


def test_sharded_weights_reach_the_losses_of_one_process_and_start_from_an_adapter(config, tmp_path):
    config["evaluation"] = {"training_documents": 1, "max_documents": 1, "max_new_tokens": 8}
    with started(tmp_path / "run", config, [*TWO, "--set", "training.fsdp=true"]) as run:
        assert run.ends() == EXIT_DONE, run.log
    assert "fsdp: 2 layers in 2 shards" in run.log
    assert_the_losses_of_one_process(run.out)
    assert run.result.evaluation.documents == 1
    assert run.result.dataset.samples == 8

    config["adapter_name_or_path"] = str(run.out / "final_model")
    config["training"] |= {"max_steps": 2, "learning_rate": 1e-12}
    with started(tmp_path / "from-adapter", config, [*TWO, "--set", "training.fsdp=true"]) as further:
        assert further.ends() == EXIT_DONE, further.log
    assert further.result.initial_adapter == config["adapter_name_or_path"]
    assert further.result.metrics.base_eval_loss == run.result.metrics.base_eval_loss
    assert further.result.metrics.best_eval_loss == run.result.metrics.best_eval_loss


@pytest.mark.timeout(900)  # three trainings one after the other
def test_a_stop_of_one_process_ends_all_at_the_same_step_and_the_run_resumes(config, tmp_path):
    config["lora"] = {"dropout": 0.2}
    config["training"] |= {"max_steps": 12, "eval_steps": 6, "per_device_train_batch_size": 3}  # with fillers
    with started(tmp_path / "whole", config) as whole:
        assert whole.ends() == EXIT_DONE, whole.log
    with started(tmp_path / "stopped", config) as stopped:
        stopped.wait_for(r"\"step\": 2")
        stopped.rank(1).send_signal(signal.SIGTERM)
        assert stopped.ends() == EXIT_RETRY, stopped.log
    assert stopped.result.reason is FailureReason.Interrupted
    step = stopped.result.progress.step
    assert 2 <= step < 12
    checkpoint = stopped.out / f"checkpoint-{step}"
    assert str(checkpoint) in stopped.result.remedy

    with started(tmp_path / "stopped", config, [*TWO, "--resume", str(checkpoint)]) as resumed:
        assert resumed.ends() == EXIT_DONE, resumed.log
    weights = "final_model/adapter_model.safetensors"
    assert (resumed.out / weights).read_bytes() == (whole.out / weights).read_bytes()
    assert curve(resumed.out) == curve(whole.out)


REFUSE_PICKLES = """
import os
if "RANK" in os.environ:
    from torch.distributed import distributed_c10d
    def refuse(*args, **kwargs):
        raise AssertionError("an object is pickled for another process")
    distributed_c10d._object_to_tensor = distributed_c10d._tensor_to_object = refuse
"""
"""A sitecustomize.py, which each process imports at its start."""


@pytest.mark.timeout(900)  # sitecustomize imports torch once more
def test_processes_of_one_machine_listen_on_the_loopback_interface_only_and_pass_no_pickles(
    config, tmp_path, monkeypatch
):
    (tmp_path / "site").mkdir()
    (tmp_path / "site/sitecustomize.py").write_text(REFUSE_PICKLES)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"), prepend=os.pathsep)
    config["training"] |= {"max_steps": 10000}
    with started(tmp_path / "run", config) as run:
        run.wait_for(r"\"step\": 1")
        sockets = [
            socket
            for process in (psutil.Process(run.process.pid), run.rank(0), run.rank(1))
            for socket in process.net_connections("inet")
            if socket.status == psutil.CONN_LISTEN
        ]
        run.process.send_signal(signal.SIGTERM)
        assert run.ends() == EXIT_RETRY, run.log
    assert run.result.reason is FailureReason.Interrupted
    assert sockets
    assert {socket.laddr.ip for socket in sockets} == {"127.0.0.1"}


def test_an_invalid_row_is_reported_once_as_a_user_error(config, tmp_path):
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"prompt": "no completion"}\n')
    with started(tmp_path / "run", {**config, "dataset_path": str(rows)}) as run:
        assert run.ends() == EXIT_USER_ERROR, run.log
    assert run.result.reason is FailureReason.DatasetInvalid
    assert len(re.findall("DatasetInvalid", run.log)) == 1, run.log


def test_a_killed_process_ends_the_run_with_its_signals_exit_code(config, tmp_path):
    config["training"] |= {"max_steps": 10000}
    with started(tmp_path / "run", config) as run:
        run.wait_for(r"\"step\": 1")
        run.rank(1).kill()
        assert run.ends() == 128 + signal.SIGKILL, run.log
    assert not (tmp_path / "run/termination").exists()
    assert "process 1 was ended by signal 9" in run.log
    assert "defect" not in run.log


def test_a_killed_launcher_leaves_no_processes(config, tmp_path):
    # Without an evaluation, during which the end of the launcher would be noticed elsewhere.
    config["training"] |= {"max_steps": 10000, "eval_steps": 10000}
    with started(tmp_path / "run", config) as run:
        run.wait_for(r"\"step\": 1")
        children = [run.rank(0), run.rank(1)]
        run.process.kill()
        _, alive = psutil.wait_procs(children, timeout=PATIENCE)
        for child in alive:
            child.kill()
    assert not alive, run.log
    assert "stop requested: saving a checkpoint" in run.log


def wait_for_end_of_group(group: int) -> None:
    """Wait until no process of the group runs; one that has ended may wait for init to collect its status."""
    deadline = time.monotonic() + 20
    while left := [process for process in psutil.process_iter() if runs_in_group(process, group)]:
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


def runs_in_group(process: psutil.Process, group: int) -> bool:
    try:
        return os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE
    except (ProcessLookupError, psutil.NoSuchProcess):
        return False


def test_ctrl_c_while_the_processes_start_ends_all(config, tmp_path):
    with started(tmp_path / "run", config) as run:
        launcher = psutil.Process(run.process.pid)
        while not launcher.children():
            assert run.process.poll() is None, run.log
            time.sleep(0.001)
        os.killpg(run.process.pid, signal.SIGINT)
        assert run.ends() == EXIT_RETRY, run.log
        wait_for_end_of_group(run.process.pid)
    assert "Traceback" not in run.log
