"""Trainings without a network: S3 and a mirror of the hub are the only hosts, and no other is asked for.

The built-in model needs not even these.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import yaml

from finscribe_core.constants import BUILT_IN_MODEL
from finscribe_core.trainer_config import TrainerConfig
from tests.support.hub_mirror import COMMIT, HUB_ID

# Python runs it at the start of every process of the run.
RECORDS_HOSTS = """
import os, sys

def record(event, args):
    if event == "socket.connect" and isinstance(args[1], tuple):
        host = args[1][0]
    elif event == "socket.getaddrinfo":
        host = args[0]
    else:
        return
    host = host.decode() if isinstance(host, bytes) else host
    if host not in ("127.0.0.1", "localhost", "::1", None):
        with open(os.environ["ASKED_HOSTS"], "a") as file:
            file.write(f"{host}\\n")

sys.addaudithook(record)
"""
# Runs in a network namespace of its own, which has only a loopback interface.
RUN = """
import fcntl, json, os, socket, struct, subprocess, sys
from pathlib import Path

import yaml

from tests.support.hub_mirror import HUB_ID, hub_mirror
from tests.support.s3 import run_s3_server

with socket.socket() as probe:  # `ip link set lo up`
    fcntl.ioctl(probe, 0x8914, struct.pack("16sh", b"lo", 1))

sample, folder = Path(sys.argv[1]), Path(sys.argv[2])
with run_s3_server() as s3, hub_mirror(sample / "model") as mirror:
    mirror.token = "hf_verysecret"
    bucket = s3.create_bucket()
    for path in (sample / "train.jsonl", sample / "val.jsonl", *(sample / "images").iterdir()):
        key = path.relative_to(sample).as_posix()
        s3.client().put_object(Bucket=bucket, Key=f"docs/{key}", Body=path.read_bytes())
    config = {
        "model_name_or_path": HUB_ID,
        "dataset_path": f"s3://{bucket}/docs/train.jsonl",
        "validation_path": f"s3://{bucket}/docs/val.jsonl",
        "output_uri": f"s3://{bucket}/models",
        "output_dir": str(folder / "work"),
        "output_formats": ["Adapter", "Merged"],
        "cache_dir": str(folder / "downloads"),
        "training": {"max_steps": 1},
        "evaluation": {"max_documents": 1, "training_documents": 0, "max_new_tokens": 4},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "HF_"))}
    environment = kept | s3.env | {
        "FINSCRIBE_RUN": "invoices-1a2b3c4d",
        "HF_ENDPOINT": mirror.endpoint,
        "HF_HOME": str(folder / "huggingface"),
        "HF_TOKEN": "hf_verysecret",
        "ASKED_HOSTS": str(folder / "hosts"),
        "PYTHONPATH": str(folder / "site"),
    }
    done = subprocess.run(
        [sys.executable, "-m", "finscribe_trainer", "train", "--config", str(folder / "config.yaml")],
        env=environment, stderr=subprocess.PIPE, text=True,
    )
    prefix = "models/runs/invoices-1a2b3c4d/"
    published = [key.removeprefix(prefix) for key in s3.keys(bucket, prefix)]
    adapter = s3.read(bucket, f"{prefix}adapter/adapter_config.json") if published else "{}"
    print(json.dumps({"code": done.returncode, "log": done.stderr, "published": published,
                      "adapter": json.loads(adapter), "requests": mirror.requests}))
"""


def test_a_run_trains_a_gated_model_of_a_mirror_with_data_in_s3_and_asks_no_other_host(
    sample: Path, tmp_path: Path
):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(RECORDS_HOSTS)
    done = subprocess.run(
        ["unshare", "--net", "--user", "--map-root-user",
         sys.executable, "-c", RUN, str(sample), str(tmp_path)],
        stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    run = json.loads(done.stdout.splitlines()[-1])

    assert run["code"] == 0, run["log"]
    assert {"adapter/adapter_model.safetensors", "merged/model.safetensors"} <= set(run["published"])
    assert not (tmp_path / "hosts").exists(), (tmp_path / "hosts").read_text()
    assert all(f"/{HUB_ID}/" in request for request in run["requests"])
    assert (run["adapter"]["base_model_name_or_path"], run["adapter"]["revision"]) == (HUB_ID, COMMIT)
    assert "hf_verysecret" not in run["log"]


def test_the_built_in_model_is_trained_and_merged_without_a_request(config: TrainerConfig, tmp_path: Path):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(RECORDS_HOSTS)
    values = config.model_copy(update={"model_name_or_path": BUILT_IN_MODEL}).model_dump(
        mode="json", exclude_none=True
    )
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(values))
    finscribe = ["unshare", "--net", "--user", "--map-root-user", sys.executable, "-m", "finscribe_trainer"]
    hub_is_on = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    environment = hub_is_on | {
        "ASKED_HOSTS": str(tmp_path / "hosts"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "HF_HOME": str(tmp_path / "huggingface"),
        "PYTHONPATH": str(tmp_path / "site"),
    }
    adapter = tmp_path / "out/final_model"
    for command in (
        ["train", "--config", tmp_path / "config.yaml"],
        ["merge", "--adapter-path", adapter, "--output-dir", tmp_path / "merged"],
    ):
        done = subprocess.run(
            [*finscribe, *command], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr

    assert not (tmp_path / "hosts").exists(), (tmp_path / "hosts").read_text()
    assert (
        json.loads((adapter / "adapter_config.json").read_text())["base_model_name_or_path"] == BUILT_IN_MODEL
    )
    assert (tmp_path / "merged" / "model.safetensors").is_file()
