"""Files of the state directory: what is no object of its kind is named, with the field."""

import json

import pytest

from finscribe_core.constants import KIND
from finscribe_core.errors import FailureReason, UserError
from finscribe_operator.local.job_controller import build_pod
from finscribe_operator.local.object_files import ObjectFiles
from finscribe_operator.merge_patch import apply_merge_patch

JOB = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "a", "namespace": "default", "uid": "u"},
    "spec": {"template": {"spec": {"containers": [{"name": "trainer"}]}}},
    "status": {"startTime": "2026-07-01T00:00:00Z", "failed": 1},
}
OBJECTS = {
    "Job": JOB,
    "Pod": build_pod(JOB) | {"metadata": build_pod(JOB)["metadata"] | {"name": "a"}},
    KIND: {"apiVersion": "finscribe.io/v1alpha1", "kind": KIND, "metadata": {"name": "a"}, "spec": {}},
}
CHANGES = {
    "a list": ("Job", lambda stored: [stored]),
    "a text": ("Job", lambda stored: "Job"),
    "null": ("Job", lambda stored: None),
    "no metadata": ("Job", {"metadata": None}),
    "metadata that is a text": ("Job", {"metadata": "a"}),
    "a name that is a number": ("Job", {"metadata": {"name": 7}}),
    "no uid": ("Job", {"metadata": {"uid": None}}),
    "no time of creation": ("Job", {"metadata": {"creationTimestamp": None}}),
    "a generation that is a text": ("Job", {"metadata": {"generation": "one"}}),
    "a version that is no number": ("Job", {"metadata": {"resourceVersion": "new"}}),
    "labels that are a list": ("Job", {"metadata": {"labels": ["a"]}}),
    "another kind": ("Job", {"kind": "Pod"}),
    "no template": ("Job", {"spec": {"template": None}}),
    "a deadline that is a text": ("Job", {"spec": {"activeDeadlineSeconds": "soon"}}),
    "a start that is no time": ("Job", {"status": {"startTime": "soon"}}),
    "failures that are a list": ("Job", {"status": {"failed": [1]}}),
    "conditions that are a text": ("Job", {"status": {"conditions": "Complete"}}),
    "a status that is a list": ("Pod", {"status": ["Running"]}),
    "no phase": ("Pod", {"status": {"phase": None}}),
    "no owner": ("Pod", {"metadata": {"ownerReferences": []}}),
    "container statuses that are a text": ("Pod", {"status": {"containerStatuses": "none"}}),
    "a FineTuneJob's status of wrong types": (KIND, {"status": {"run": "a", "conditions": 7}}),
}


@pytest.fixture
def files(tmp_path):
    return ObjectFiles(tmp_path)


@pytest.mark.parametrize("kind", OBJECTS)
def test_an_object_is_read_as_it_was_stored(kind, files):
    stored = files.put(OBJECTS[kind])
    assert files.get(kind, "default", "a") == stored
    assert files.list(kind) == [stored]


@pytest.mark.parametrize("case", CHANGES)
def test_a_file_of_a_wrong_type_is_named(case, files, tmp_path):
    kind, change = CHANGES[case]
    stored = files.put(OBJECTS[kind])
    changed = change(stored) if callable(change) else apply_merge_patch(stored, change)
    path = tmp_path / kind / "default/a.json"
    path.write_text(json.dumps(changed))

    with pytest.raises(UserError, match=f"{path}: is damaged") as caught:
        files.list(kind)
    assert caught.value.reason is FailureReason.InvalidConfig
    assert "run again" in caught.value.remedy


@pytest.mark.parametrize(
    "text", [b"{", b"", b"\xff\xfe", b"[" * 100_000], ids=["cut", "empty", "bytes", "nested"]
)
def test_a_file_that_is_no_json_is_named(text, files, tmp_path):
    files.put(JOB)
    (tmp_path / "Job/default/a.json").write_bytes(text)

    with pytest.raises(UserError, match="is damaged"):
        files.get("Job", "default", "a")
