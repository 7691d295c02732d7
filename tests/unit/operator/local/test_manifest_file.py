"""The manifest file of `finscribe run`."""

import pytest

from finscribe_core.errors import UserError
from finscribe_operator.local.manifest_file import read_manifest

JOB = """\
apiVersion: finscribe.io/v1alpha1
kind: FineTuneJob
metadata: {name: invoices}
spec:
  model: {source: hf://PaddlePaddle/PaddleOCR-VL}
  dataset: {train: s3://docs/train.jsonl}
  output: {uri: s3://models/invoices}
  storage: {credentialsSecretRef: {name: s3}}
"""
SECRET = """\
---
apiVersion: v1
kind: Secret
metadata: {name: s3}
data: {AWS_ACCESS_KEY_ID: aWQ=}
stringData: {AWS_SECRET_ACCESS_KEY: hush}
"""


@pytest.fixture
def read(tmp_path):
    def read(text):
        (tmp_path / "job.yaml").write_text(text)
        return read_manifest(tmp_path / "job.yaml")

    return read


def test_a_job_and_its_secret_are_read(read):
    manifest = read(JOB + SECRET)

    assert manifest.job.metadata.name == "invoices"
    assert manifest.job.spec.lora.r == 16
    assert manifest.secrets == {"s3": {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "hush"}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            JOB.replace("  output:", "  outputs:"),
            ":7: unknown key spec.outputs; did you mean output?",
        ),
        (JOB + "---\n" + JOB, "job.yaml:11: expected exactly one FineTuneJob, got 2."),
        (
            JOB.replace("hf://PaddlePaddle/PaddleOCR-VL", "oci://registry.example/models/a:1"),
            ":5: the image of an oci:// model is mounted by a cluster only.",
        ),
        (SECRET, "job.yaml: expected exactly one FineTuneJob, got 0."),
        (JOB + "---\nkind: Deployment\n", ":10: expected a FineTuneJob or a Secret, got Deployment."),
        (JOB + SECRET.replace("aWQ=", "plain!"), "job.yaml:13: data.AWS_ACCESS_KEY_ID is not base64."),
        (
            JOB + SECRET.replace("SECRET_ACCESS", "SECRET"),
            ":8: the Secret s3 in this file has no key",
        ),
    ],
)
def test_a_mistake_is_named_with_file_and_line(read, text, message):
    with pytest.raises(UserError) as caught:
        read(text)

    assert message in caught.value.message
    assert "plain!" not in str(caught.value)


def test_what_applies_to_a_clusters_pods_is_left_out(read):
    storage = "{region: eu-central-1, caBundle: {configMapName: ca}}"
    job = JOB.replace("{credentialsSecretRef: {name: s3}}", storage)
    job += "  queueName: gpus\n"
    job += "  pod: {env: [{name: HTTPS_PROXY, value: 'http://proxy.cluster:3128'}]}\n"

    spec = read(job).job.spec

    assert (spec.pod.env, spec.storage.ca_bundle, spec.storage.region) == (None, None, "eu-central-1")
    assert spec.queue_name is None
