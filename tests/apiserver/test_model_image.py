"""What the API server keeps of the pod of a job with a model in an image and a cache of downloads."""

import pytest

from tests.apiserver.workspace import Workspace, build_job

REFERENCE = "registry.example:5000/models/paddleocr-vl:1.5"
RESTRICTED = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}


@pytest.mark.usefixtures("operator")
def test_the_image_of_the_model_is_mounted_read_only_by_a_pod_that_restricted_admits(workspace: Workspace):
    workspace.core.patch_namespace(workspace.namespace, RESTRICTED)
    workspace.apply(
        build_job(
            model={"source": f"oci://{REFERENCE}"},
            cache={"persistentVolumeClaim": {"name": "shared"}},
            pod={"imagePullSecrets": [{"name": "registry"}]},
        )
    )

    pod = workspace.core.read_namespaced_pod(workspace.await_pod(), workspace.namespace)

    (job,) = workspace.batch_jobs()
    for spec in (job.spec.template.spec, pod.spec):
        volumes = {volume.name: volume for volume in spec.volumes}
        mounts = {mount.name: mount for mount in spec.containers[0].volume_mounts}
        assert volumes["base-model"].image.reference == REFERENCE
        assert (mounts["base-model"].mount_path, mounts["base-model"].read_only) == ("/model", True)
        assert volumes["downloads"].persistent_volume_claim.claim_name == "shared"
        assert mounts["downloads"].mount_path == "/cache"
        assert [secret.name for secret in spec.image_pull_secrets] == ["registry"]
