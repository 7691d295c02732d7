"""A run on several machines, which are processes here: killed at its stages, started again as by its Job."""

import json
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from finscribe_core.constants import EXIT_DONE, EXIT_PEER_LOST, EXIT_RETRY, EXIT_USER_ERROR
from tests.support.machines import Machine, nodes_environment
from tests.support.s3 import S3Server
from tests.support.trainer_process import environment_with

RUN = "invoices-1a2b3c4d"
KILLED = 128 + signal.SIGKILL
END_WITHIN = 60
"""Seconds for both machines to end, with time for the first one's last stages."""


Machines = list[Machine]


@pytest.fixture
def start(config: dict, s3_env: S3Server, tmp_path: Path):
    """Starts an attempt of the run, on two machines with one process each."""
    with ExitStack() as stack:

        def start(attempt: str, nodes: int = 2, processes: int = 1) -> Machines:
            found = []
            for rank, variables in enumerate(nodes_environment(nodes, processes)):
                environment = {**environment_with(s3_env), **variables, "FINSCRIBE_RUN": RUN}
                folder = tmp_path / attempt / str(rank)
                found.append(Machine(folder, config, environment=environment))
                stack.callback(found[-1].close)
            return found

        yield start


@pytest.fixture
def config(s3_env: S3Server, sample: Path) -> dict:
    bucket = s3_env.create_bucket()
    return {
        "model_name_or_path": str(sample / "model"),
        "dataset_path": str(sample / "train.jsonl"),
        "validation_path": str(sample / "val.jsonl"),
        "output_uri": f"s3://{bucket}/out",
        "lora": {"dropout": 0.2},
        "training": {
            "learning_rate": 5e-3,
            "max_steps": 12,
            "per_device_train_batch_size": 1,
            "gradient_accumulation_steps": 2,
            "eval_steps": 3,
            "logging_steps": 1,
            "gradient_checkpointing": False,
            "dataloader_num_workers": 0,
        },
        "early_stopping": {"enabled": False},
        "evaluation": {"training_documents": 0, "max_documents": 2, "max_new_tokens": 16},
    }


def end_all(machines: Machines) -> list[int]:
    return [machine.ends() for machine in machines]


def published(config: dict, server: S3Server) -> bytes:
    """The adapter of the run, in the bucket."""
    bucket = config["output_uri"].removeprefix("s3://").partition("/")[0]
    found = server.client().get_object(Bucket=bucket, Key=f"out/runs/{RUN}/adapter/adapter_model.safetensors")
    return found["Body"].read()


@dataclass(frozen=True)
class Disturbance:
    """What happens to a machine, and the exit codes of both machines then."""

    when: str
    """What the first machine has logged by then."""
    rank: int
    disturb: Callable[[Machine], None]
    codes: tuple[int, int]


DISTURBANCES = (
    Disturbance("Upload checkpoint-3", 1, Machine.kill_trainer, (EXIT_PEER_LOST, KILLED)),
    Disturbance("resuming from", 1, Machine.drain, (EXIT_PEER_LOST, EXIT_RETRY)),
    Disturbance("evaluating base and tuned model", 0, Machine.kill, (KILLED, EXIT_PEER_LOST)),
    Disturbance("evaluating base and tuned model", 1, Machine.kill, (EXIT_DONE, KILLED)),
)
"""One after the other of the same run; `make sweep-trainer` has all stages."""


@pytest.mark.timeout(1800)
def test_a_run_that_is_disturbed_at_each_stage_ends_with_the_bytes_of_an_undisturbed_one(
    config, start, s3_env
):
    assert end_all(start("undisturbed")) == [EXIT_DONE, EXIT_DONE]
    undisturbed = published(config, s3_env)
    config["output_uri"] = f"s3://{s3_env.create_bucket()}/out"
    for attempt, disturbance in enumerate(DISTURBANCES):
        machines = start(str(attempt))
        machines[0].wait_for(disturbance.when)
        disturbed_at = time.monotonic()
        disturbance.disturb(machines[disturbance.rank])
        codes = end_all(machines)
        log = "\n".join(machine.log for machine in machines)
        assert tuple(codes) == disturbance.codes, f"{disturbance}\n{log}"
        assert time.monotonic() - disturbed_at < END_WITHIN, disturbance
        assert ("resuming from" in log or "all steps are done" in log) == (attempt > 0), disturbance
        assert "was saved by" not in log, "the number of processes is the same"
    assert published(config, s3_env) == undisturbed
    assert not (machines[1].folder / "out/final_model").exists(), "the first machine alone writes results"


@pytest.mark.timeout(900)
def test_a_run_goes_on_with_another_number_of_processes_and_the_same_rows_in_each_step(config, start, s3_env):
    config["training"] |= {"effective_batch_size": 4, "save_total_limit": 10}
    config["evaluation"] = {"enabled": False, "training_documents": 0}
    assert end_all(start("of-two")) == [EXIT_DONE, EXIT_DONE]
    whole = losses(config, s3_env)
    config["output_uri"] = f"s3://{s3_env.create_bucket()}/out"
    four = start("of-four", nodes=2, processes=2)
    four[0].wait_for("Upload checkpoint-6")
    four[0].kill()
    assert end_all(four) == [KILLED, EXIT_PEER_LOST]

    (one,) = start("of-one", nodes=1)
    assert one.ends() == EXIT_DONE, one.log
    assert "was saved by 4 processes, and is resumed by 1" in one.log
    assert "uninterrupted" not in one.log
    assert losses(config, s3_env) == pytest.approx(whole, rel=1e-4)


@pytest.mark.timeout(900)
def test_another_effective_batch_is_refused_by_name(config, start):
    four = start("of-four", nodes=2, processes=2)
    four[0].wait_for("Upload checkpoint-3")
    four[1].kill()
    end_all(four)

    (one,) = start("of-one", nodes=1)
    assert one.ends() == EXIT_USER_ERROR, one.log
    assert "training.effective_batch_size to 8" in one.log


def losses(config: dict, server: S3Server) -> list[float]:
    """The training loss of each step, and the validation losses."""
    bucket = config["output_uri"].removeprefix("s3://").partition("/")[0]
    body = server.client().get_object(Bucket=bucket, Key=f"out/runs/{RUN}/metrics.json")["Body"]
    metrics = json.loads(body.read())
    return [entry["loss"] for entry in metrics["train_history"]] + [
        entry["eval_loss"] for entry in metrics["eval_history"]
    ]
