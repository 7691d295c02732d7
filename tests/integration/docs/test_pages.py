"""The commands of the pages about documents and the trainer, with a tiny model and few rows."""

import re
import shutil
from pathlib import Path

import httpx
import pytest
import yaml

from tests.integration.docs.shell import call, environment, run
from tests.support.s3 import S3Server
from tests.support.served import served
from tests.unit.docs.pages import ALL, ROOT

pytestmark = pytest.mark.timeout(600)

PAGES = {
    "docs/augmentation.md": "",
    "docs/curriculum.md": "",
    "docs/data-quality.md": "",
    "docs/data.md": "",
    "docs/deploy.md": "",
    "docs/distributed.md": "finscribe",
    "docs/evaluation.md": "finscribe",
    "docs/local.md": "",
    "docs/plan.md": "finscribe plan",
    "docs/prepare.md": "",
    "docs/speed.md": "",
    "docs/synthetic.md": "",
    "docs/tiny-model.md": "",
    "docs/trainer.md": "",
    "docs/tuning.md": "",
    "docs/tutorial.md": "finscribe evaluate",
    "docs/ui.md": ("finscribe ui finetuned_model", "finscribe ui --local"),
}
"""With how the lines begin that are run here; a cluster's are run elsewhere."""


def lines_of(page: str) -> list[str]:
    return [line for line in ALL[page].tested_commands if line.startswith(PAGES[page])]


RUN = {line for page in PAGES for line in lines_of(page)}
QUICK = {
    "training": {
        "max_steps": 2,
        "eval_steps": 1,
        "learning_rate": 1e-4,
        "gradient_checkpointing": False,
        "dataloader_num_workers": 0,
        "report_to": ["tensorboard"],
    },
    "evaluation": {"training_documents": 0, "max_documents": 1, "max_new_tokens": 8},
}
FEW_TOKENS = "--max-new-tokens 8"
SHORTER = {
    "train": "--set training.max_steps=2 --set training.eval_steps=1 --set evaluation.max_documents=1"
    " --set evaluation.training_documents=0 --set evaluation.max_new_tokens=8",
    "evaluate": FEW_TOKENS,
    "compare --baseline-model": FEW_TOKENS,
    "lr-finder": "--num-steps 20",
    "sweep": "--trials 2",
}
"""What is appended to lines that would take long."""
SERVERS = {
    "tensorboard ": ("--host 127.0.0.1 --port 0", ""),
    "python examples/serve/": ("--port 0", "/models"),
    "finscribe ui ": ("--port 0", ""),
}
"""Lines that start a server: what is appended, so that it takes a free port, and a path below the address
that it prints.
"""


@pytest.fixture(scope="module")
def project(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout's examples, and what the pages take for granted: configuration, rows, model, a training."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("examples", "data"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copytree(sample / "model", folder / "PaddlePaddle/PaddleOCR-VL")
    shutil.copytree(sample, folder / "sample")
    for name in ("data", "data/test_dataset"):
        shutil.copytree(sample / "images", folder / name / "images", dirs_exist_ok=True)
    for source, copies in {
        "sample/train.jsonl": ("data/train.jsonl",),
        "sample/val.jsonl": (
            "sample/test.jsonl",
            *("data/val.jsonl", "data/test.jsonl", "data/test_dataset/test.jsonl"),
        ),
    }.items():
        for name in copies:
            shutil.copy(folder / source, folder / name)
    write_users_files(folder)
    call("finscribe train --config finetune_config.yaml", folder)
    return folder


def write_users_files(folder: Path) -> None:
    """The files that the commands name and a user writes."""
    config = {
        "model_name_or_path": "PaddlePaddle/PaddleOCR-VL",
        "dataset_path": "data/train.jsonl",
        "validation_path": "data/val.jsonl",
        "output_dir": "finetuned_model",
        "output_formats": ["Adapter", "Merged"],
    }
    (folder / "finetune_config.yaml").write_text(yaml.safe_dump(config | QUICK))
    other = [{"name": "lower-lr", "overrides": {"training.learning_rate": 1e-5}}]
    experiments = {"config": "finetune_config.yaml", "experiments": other}
    (folder / "experiments.yaml").write_text(yaml.safe_dump(experiments))
    rows = (folder / "data/train.jsonl").read_text().splitlines(keepends=True)
    with_image = [row for row in rows if '"image"' in row]
    without = [row for row in rows if '"image"' not in row]
    (folder / "data/free-texts.jsonl").write_text("".join(without))
    # These files lie beside the folder of the images that their rows name.
    shutil.copytree(folder / "data/images", folder / "images")
    (folder / "reviewed.jsonl").write_text("".join(rows))
    (folder / "texts.jsonl").write_text("".join(without))
    (folder / "scans.jsonl").write_text("".join(with_image))
    review = "".join(ALL["docs/prepare.md"].blocks("json"))
    shutil.copy(next((folder / "images").iterdir()), folder / "images/0001.png")
    (folder / "corrections.jsonl").write_text(review)
    job = yaml.safe_load((folder / "examples/finetunejob.yaml").read_text())
    job["spec"]["training"] |= {"maxSteps": 2, "evalSteps": 1}
    job["spec"]["evaluation"] |= {"trainingDocuments": 0, "maxDocuments": 1, "maxNewTokens": 8}
    for name in ("job.yaml", "examples/finetunejob.yaml"):
        (folder / name).write_text(yaml.safe_dump(job))


@pytest.fixture
def copy(project: Path, tmp_path: Path, s3_env: S3Server) -> Path:
    """A copy of the project; the buckets that the pages name have its rows and its adapter."""
    folder = tmp_path / "project"
    shutil.copytree(project, folder)
    for target, source in {
        "finscribe-demo/datasets/invoices": folder / "sample",
        "invoices/test": folder / "data/test_dataset",
        "models/results/runs/run-1/adapter": folder / "finetuned_model/final_model",
        "team-models/invoices/runs/invoices-7f3c9a/adapter": folder / "finetuned_model/final_model",
    }.items():
        bucket, _, prefix = target.partition("/")
        s3_env.client().create_bucket(Bucket=bucket)
        for file in filter(Path.is_file, source.rglob("*")):
            s3_env.client().upload_file(str(file), bucket, f"{prefix}/{file.relative_to(source)}")
    return folder


def adapted(line: str, folder: Path) -> str:
    """The line for this machine: short, with two processes, and with the test's folder as /data."""
    appended = [options for name, options in SHORTER.items() if line.startswith(f"finscribe {name} ")]
    line = " ".join([line, *appended])
    line = line.replace("--nproc-per-node 4", "--nproc-per-node 2").replace("--count 5000", "--count 12")
    return line.replace("=/data/", f"={folder}/").replace("ADAPTER", "finetuned_model/final_model")


def make_ready(line: str, folder: Path) -> None:
    """What a user has done before: nothing is in the way of an output, and a run was interrupted."""
    if "--resume" in line:
        shutil.rmtree(folder / "finetuned_model")
        call(adapted("finscribe train --config examples/trainer-config.yaml", folder), folder)
        (folder / "finetuned_model/checkpoint-1").rename(folder / "finetuned_model/checkpoint-1000")
    elif line.startswith("finscribe train") and "--data-state" not in line:
        shutil.rmtree(folder / "finetuned_model", ignore_errors=True)
    elif line.startswith("finscribe merge"):
        shutil.rmtree(folder / "deployed_model", ignore_errors=True)
    elif line.startswith("finscribe data split"):
        for name in ("train", "val", "test"):
            (folder / f"data/{name}.jsonl").unlink()


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_work_in_their_order(page: str, copy: Path):
    (copy / "finscribe-demo").symlink_to(copy)  # where the tutorial's demo writes its sample
    for line in lines_of(page):
        make_ready(line, copy)
        if server := next(filter(line.startswith, SERVERS), ""):
            options, path = SERVERS[server]
            with served(f"{line} {options}", copy, environment()) as address:
                assert httpx.get(f"{address}{path}", follow_redirects=True).status_code == 200
            continue
        if "--nproc-per-node" in line:
            run([adapted(line, copy)], copy)
        else:
            call(adapted(line, copy), copy)
        for name in re.findall(r"--(?:output|output-dir|contact-sheet) (\S+)", line):
            assert (copy / name).exists(), line
