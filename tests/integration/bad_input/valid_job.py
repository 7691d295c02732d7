"""A small job that would succeed: its objects in a bucket, its spec, its environment."""

import copy
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from click.testing import CliRunner

from finscribe_core.report import RunResult
from finscribe_trainer.cli.train import train
from tests.support.s3 import S3Server

Object = dict[str, Any]
ROW = {"prompt": "Total?", "completion": '{"total": "12.00"}'}


@dataclass
class ValidJob:
    """A job that would succeed; a case makes one part of it invalid before it runs."""

    server: S3Server
    directory: Path
    bucket: str
    model_dir: Path
    env: dict[str, str] = field(default_factory=dict)
    """More variables for the process that runs the job."""
    spec: Object = field(default_factory=dict)
    prefix: tuple[str, ...] = ()
    """Words before the command, such as a program that limits it."""

    def __post_init__(self) -> None:
        """Fill the bucket with valid rows, and write the spec that trains on them."""
        self.put_rows("train.jsonl", [ROW] * 8)
        self.put_rows("val.jsonl", [ROW] * 2)
        self.spec = {
            "model": {"source": str(self.model_dir)},
            "dataset": {
                "train": self.uri("data/train.jsonl"),
                "validation": self.uri("data/val.jsonl"),
                "requireImages": False,
            },
            "training": {
                "numTrainEpochs": 1,
                "perDeviceTrainBatchSize": 4,
                "gradientAccumulationSteps": 1,
                "dataloaderNumWorkers": 0,
            },
            "output": {"uri": self.uri("results")},
            "resources": {"gpus": 0},
            "backoffLimit": 0,
        }

    def uri(self, key: str) -> str:
        return f"s3://{self.bucket}/{key}"

    def put(self, name: str, body: bytes) -> None:
        """An object of the data set."""
        self.server.client().put_object(Bucket=self.bucket, Key=f"data/{name}", Body=body)

    def put_rows(self, name: str, rows: list[Object]) -> None:
        self.put(name, "".join(json.dumps(row) + "\n" for row in rows).encode())

    def set(self, path: str, value: Any) -> None:
        """Set a field of the spec, given as a dotted path."""
        at = self.spec
        *parents, last = path.split(".")
        for name in parents:
            at = at.setdefault(name, {})
        at[last] = value

    def run_trainer(self) -> tuple[int, RunResult | None, str]:
        """`finscribe train` on this spec: exit code, termination message, output."""
        termination_log = self.directory / "termination-log"
        config = self.directory / "config.yaml"
        config.write_text(yaml.safe_dump(self._trainer_config()))
        env = {"FINSCRIBE_TERMINATION_LOG": str(termination_log), "FINSCRIBE_RUN": "run-1"}
        done = CliRunner().invoke(train, ["--config", str(config)], env={**self.server.env, **env})
        text = termination_log.read_text() if termination_log.exists() else ""
        return done.exit_code, RunResult.from_termination_message(text), done.output

    def run_job(self) -> tuple[int, Object, str]:
        """`finscribe run` on this spec: exit code, the job's Failed condition, output."""
        state = self.directory / "state"
        manifest = self.directory / "job.yaml"
        # JSON is YAML, and keeps the quotes of a number written as a text.
        manifest.write_text(json.dumps(self._finetunejob(), indent=2))
        arguments = ["run", str(manifest), "--state-dir", str(state)]
        code, output = self._call(["-m", "finscribe_core.cli", *arguments], {})
        stored = next(state.glob("**/FineTuneJob/default/invalid.json"), None)
        job: Object = json.loads(stored.read_text()) if stored else {}
        conditions = {c["type"]: c for c in job.get("status", {}).get("conditions", [])}
        return code, conditions.get("Failed", {}), output

    def _finetunejob(self) -> Object:
        return {
            "apiVersion": "finscribe.io/v1alpha1",
            "kind": "FineTuneJob",
            "metadata": {"name": "invalid"},
            "spec": self.spec,
        }

    def _trainer_config(self) -> Object:
        """The same settings as the trainer's own file has them."""
        spec = copy.deepcopy(self.spec)
        dataset = spec["dataset"]
        config = {
            "model_name_or_path": spec["model"]["source"],
            "dataset_path": dataset["train"],
            "validation_path": dataset["validation"],
            "require_images": dataset["requireImages"],
            "training": _snake_case(spec["training"]),
            "lora": _snake_case(spec.get("lora", {})),
            "output_uri": spec["output"]["uri"],
            "output_dir": str(self.directory / "output"),
        }
        if "maxImagePixels" in dataset:
            config["max_image_pixels"] = dataset["maxImagePixels"]
        return config

    def _call(self, arguments: list[str], env: dict[str, str]) -> tuple[int, str]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "FINSCRIBE_"))}
        done = subprocess.run(
            [*self.prefix, sys.executable, *arguments],
            env={**inherited, **self.server.env, "OMP_NUM_THREADS": "1", **self.env, **env},
            cwd=self.directory,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr


def _snake_case(section: Object) -> Object:
    return {"".join(f"_{c.lower()}" if c.isupper() else c for c in key): v for key, v in section.items()}
