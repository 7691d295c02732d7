"""A completed spec is parsed again exactly when the spec or its defaults have changed."""

import copy

import pytest

from finscribe_core.api.v1alpha1 import FineTuneJobStatus
from finscribe_operator import completed_specs
from finscribe_operator.completed_specs import complete_job, hash_spec
from finscribe_operator.field_changes import Change, hash_settings
from finscribe_operator.merge_patch import apply_merge_patch
from finscribe_operator.objects import Object
from finscribe_operator.runs import DEFAULTS
from tests.unit.operator.builders import a_job

STATUS = FineTuneJobStatus()
OTHER_DEFAULTS = apply_merge_patch(DEFAULTS, {"lora": {"r": 4}})


@pytest.mark.parametrize(
    ("change", "defaults", "rank"),
    [
        pytest.param(
            {"metadata": {"resourceVersion": "2"}, "status": {"runs": []}}, DEFAULTS, None, id="status"
        ),
        pytest.param({}, copy.deepcopy(DEFAULTS), None, id="equal defaults"),
        pytest.param({"spec": {"lora": {"r": 8}}}, DEFAULTS, 8, id="spec"),
        pytest.param({}, OTHER_DEFAULTS, 4, id="defaults"),
        pytest.param({"metadata": {"uid": "another"}}, DEFAULTS, 16, id="another job of the same name"),
    ],
)
def test_a_job_is_parsed_and_hashed_again_when_spec_or_defaults_differ(
    change: Object, defaults: Object, rank: int | None
):
    first = complete_job(a_job(), STATUS, DEFAULTS)
    hashed = hash_spec(first, Change.NewRun)
    again = complete_job(apply_merge_patch(a_job(), change), STATUS, defaults)
    assert again.spec is first.spec if rank is None else again.spec is not first.spec
    assert again.spec.lora.r == (rank or 16)
    assert hash_spec(again, Change.NewRun) == hash_settings(again.spec, Change.NewRun)
    assert hash_spec(first, Change.NewRun) == hashed


def test_only_the_jobs_that_were_completed_last_are_kept(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(completed_specs, "MAX_KNOWN", 2)
    monkeypatch.setattr(completed_specs, "_known", {})
    jobs = [apply_merge_patch(a_job(), {"metadata": {"uid": f"kept-{number}"}}) for number in range(3)]
    specs = [complete_job(job, STATUS, DEFAULTS).spec for job in jobs]
    assert complete_job(jobs[2], STATUS, DEFAULTS).spec is specs[2]
    assert complete_job(jobs[0], STATUS, DEFAULTS).spec is not specs[0]
