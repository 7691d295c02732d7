"""A killed training resumes from its newest complete checkpoint with a bit-identical result."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from finscribe_core.constants import EXIT_DONE, EXIT_RETRY

STARTED: list[subprocess.Popen[bytes]] = []


def write_config(sample: Path, output_dir: Path, num_workers: int) -> Path:
    """Two steps an epoch, the second with a single batch; with every source of randomness."""
    config = {
        "model_name_or_path": str(sample / "model"),
        "dataset_path": str(sample / "train.jsonl"),
        "validation_path": str(sample / "val.jsonl"),
        "output_dir": str(output_dir),
        "lora": {"dropout": 0.3},
        "training": {
            "learning_rate": 5.0e-3,
            "num_train_epochs": 3,
            "per_device_train_batch_size": 3,
            "gradient_accumulation_steps": 2,
            "logging_steps": 2,
            "eval_steps": 1,
            "gradient_checkpointing": False,
            "dataloader_num_workers": num_workers,
            "report_to": [],
        },
        "augmentation": {"enabled": True},
        "evaluation": {"enabled": False, "training_documents": 1, "max_new_tokens": 4},
    }
    file = output_dir.with_suffix(".yaml")
    file.write_text(yaml.safe_dump(config))
    return file


def start(config: Path, *options: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "finscribe_trainer", "train", "--config", str(config), *options]
    with config.with_suffix(".log").open("ab") as log:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(command, stderr=log, stdout=log, env=environment, start_new_session=True)
    STARTED.append(process)
    return process


@pytest.fixture(autouse=True)
def leave_none_running() -> Iterator[None]:
    yield
    for process in STARTED:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def adapter(output_dir: Path) -> bytes:
    return (output_dir / "final_model" / "adapter_model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def expected(sample, tmp_path_factory) -> bytes:
    output_dir = tmp_path_factory.mktemp("whole") / "out"
    config = write_config(sample, output_dir, num_workers=0)
    assert start(config).wait(timeout=120) == EXIT_DONE, config.with_suffix(".log").read_text()
    return adapter(output_dir)


def newest_complete(output_dir: Path) -> tuple[str, ...]:
    """The option that resumes from it; without one, no option, and incomplete checkpoints are deleted."""
    found = sorted(output_dir.glob("checkpoint-*"), key=lambda path: int(path.name.partition("-")[2]))
    for folder in reversed(found):
        try:
            json.loads((folder / "trainer_state.json").read_text())
        except (OSError, ValueError):
            continue
        return ("--resume", str(folder))
    for folder in found:
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
    return ()


def test_a_run_killed_at_random_moments_ends_with_the_same_adapter(sample, expected, tmp_path):
    output_dir, rng = tmp_path / "out", random.Random(7)
    config = write_config(sample, output_dir, num_workers=2)
    for wanted in (1, 2, 4):
        process = start(config, *newest_complete(output_dir))
        wait_for(lambda wanted=wanted: (output_dir / f"checkpoint-{wanted}").is_dir(), process, config)
        time.sleep(rng.uniform(0, 0.08))  # while it is written, or soon after
        os.killpg(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    process = start(config, *newest_complete(output_dir))
    assert process.wait(timeout=120) == EXIT_DONE, config.with_suffix(".log").read_text()
    assert adapter(output_dir) == expected


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[bytes], config: Path) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, config.with_suffix(".log").read_text()
        assert time.monotonic() < deadline, config.with_suffix(".log").read_text()
        time.sleep(0.002)


def test_ctrl_c_saves_a_checkpoint_from_which_the_run_ends_with_the_same_adapter(sample, expected, tmp_path):
    output_dir = tmp_path / "out"
    config = write_config(sample, output_dir, num_workers=0)
    log = config.with_suffix(".log")
    process = start(config)
    wait_for(lambda: "'loss'" in log.read_text(), process, config)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(timeout=60) == EXIT_RETRY, log.read_text()
    assert re.search(r"checkpoint saved after step \d", log.read_text())
    resume = newest_complete(output_dir)
    assert resume

    process = start(config, *resume)
    assert process.wait(timeout=120) == EXIT_DONE, log.read_text()
    assert adapter(output_dir) == expected
