"""Compares the children of FineTuneJobs with expected manifests; each folder has a job and its children."""

from pathlib import Path

import pytest
import yaml

from finscribe_core.api.v1alpha1 import FineTuneJob
from finscribe_core.constants import CONFIG_FILE
from finscribe_core.parsing import parse_strictly
from finscribe_core.trainer_config import TrainerConfig
from finscribe_core.yaml_files import read_documents
from finscribe_operator.config import OperatorConfig
from finscribe_operator.manifests import build_config_map, build_job, build_service
from finscribe_operator.objects import Object
from finscribe_operator.runs import find_run

FOLDERS = sorted(path.parent for path in Path(__file__).parent.glob("*/input.yaml"))
UID = "00000000-0000-4000-8000-000000000001"


class _LiteralDumper(yaml.SafeDumper):
    """Writes multi-line texts as blocks, so that diffs are readable."""

    def ignore_aliases(self, data: object) -> bool:
        return True


_LiteralDumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None
    ),
)


def children_of(folder: Path) -> dict[str, Object]:
    (document,) = read_documents(folder / "input.yaml")
    job = parse_strictly(FineTuneJob, document)
    job = job.model_copy(update={"metadata": job.metadata.model_copy(update={"uid": UID})})
    _, desired = find_run({**job.to_kubernetes(), "spec": job.spec.as_written()}, job.status)
    run = desired.name
    children = {
        "config_map.yaml": build_config_map(job, run),
        "job.yaml": build_job(job, run, OperatorConfig()),
    }
    several = job.spec.resources.num_nodes > 1
    return children | ({"service.yaml": build_service(job, run)} if several else {})


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_children_are_as_expected(folder: Path, update_golden: bool):
    for name, manifest in children_of(folder).items():
        text = yaml.dump(manifest, Dumper=_LiteralDumper, sort_keys=False, width=110)
        if update_golden:
            (folder / name).write_text(text, encoding="utf-8")
        assert (folder / name).read_text(encoding="utf-8") == text, f"{folder.name}/{name}: --update-golden?"


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_trainer_can_read_the_config(folder: Path, tmp_path: Path):
    file = tmp_path / CONFIG_FILE
    file.write_text(children_of(folder)["config_map.yaml"]["data"][CONFIG_FILE], encoding="utf-8")
    (document,) = read_documents(file)
    config = parse_strictly(TrainerConfig, document)
    assert config.output_uri is not None
    assert not config.model_name_or_path.startswith("hf://")
