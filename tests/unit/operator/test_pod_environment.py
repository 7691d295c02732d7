"""What a job can't change of its pod: variables, volumes and paths of the operator's own."""

from pathlib import Path

import yaml

from finscribe_core.api.volumes import RESERVED_PATHS
from finscribe_core.constants import ENV_PREFIX, OPERATOR_VARIABLES, OPERATOR_VOLUMES

GOLDEN = Path(__file__).parents[2] / "golden"
POD = yaml.safe_load((GOLDEN / "pod_overlay" / "job.yaml").read_text())["spec"]["template"]["spec"]
(CONTAINER,) = POD["containers"]
JOB = yaml.safe_load((GOLDEN / "pod_overlay" / "input.yaml").read_text())["spec"]["pod"]
EVERYTHING = yaml.safe_load((GOLDEN / "everything_set" / "job.yaml").read_text())["spec"]["template"]["spec"]


def test_every_variable_that_the_operator_sets_is_reserved():
    own = {entry["name"] for pod in (POD, EVERYTHING) for entry in pod["containers"][0]["env"]}
    own -= {entry["name"] for entry in JOB["env"]}

    assert "OMP_NUM_THREADS" in own and "WANDB_API_KEY" in own
    assert [name for name in own if not name.startswith(ENV_PREFIX) and name not in OPERATOR_VARIABLES] == []


def test_every_volume_and_mount_path_of_the_operator_is_reserved():
    theirs = {volume["name"] for volume in JOB["volumes"]}
    own = {volume["name"] for volume in POD["volumes"]} - theirs

    assert own == set(OPERATOR_VOLUMES) - {"features", "downloads", "base-model"}
    for mount in CONTAINER["volumeMounts"]:
        path = mount["mountPath"]
        reserved = any(path == taken or path.startswith(f"{taken}/") for taken in RESERVED_PATHS)
        assert reserved == (mount["name"] in own), path
