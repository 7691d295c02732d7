"""What a job can't change of its pod: variables, volumes and paths of the operator's own."""

from pathlib import Path
from typing import Any

import yaml

from finscribe_core.api.volumes import RESERVED_PATHS
from finscribe_core.constants import ENV_PREFIX, OPERATOR_VARIABLES, OPERATOR_VOLUMES

GOLDEN = Path(__file__).parents[2] / "golden"


def container_of(case: str) -> dict[str, Any]:
    """The container of a job of the golden tests."""
    job = yaml.safe_load((GOLDEN / case / "job.yaml").read_text())
    return dict(job["spec"]["template"]["spec"]["containers"][0])


CONTAINERS = [container_of(case) for case in ("pod_overlay", "everything_set", "model_in_an_image")]
JOB = yaml.safe_load((GOLDEN / "pod_overlay" / "input.yaml").read_text())["spec"]["pod"]


def test_every_variable_that_the_operator_sets_is_reserved():
    own = {entry["name"] for container in CONTAINERS for entry in container["env"]}
    own -= {entry["name"] for entry in JOB["env"]}  # HF_TOKEN, too: a rule of the spec lets one field set it

    assert "OMP_NUM_THREADS" in own and "WANDB_API_KEY" in own
    assert [name for name in own if not name.startswith(ENV_PREFIX) and name not in OPERATOR_VARIABLES] == []


def test_every_volume_and_mount_path_of_the_operator_is_reserved():
    theirs = {volume["name"] for volume in JOB["volumes"]}
    mounts = [mount for container in CONTAINERS for mount in container["volumeMounts"]]

    assert {mount["name"] for mount in mounts} - theirs == set(OPERATOR_VOLUMES) - {"features"}
    for mount in mounts:
        path = mount["mountPath"]
        reserved = any(path == taken or path.startswith(f"{taken}/") for taken in RESERVED_PATHS)
        assert reserved == (mount["name"] not in theirs), path
