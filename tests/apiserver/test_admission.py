"""The API server refuses bad jobs itself, whether or not an operator runs."""

import pytest
from kubernetes import client

from finscribe_core.constants import GROUP, PLURAL, VERSION
from tests.apiserver.workspace import Workspace, build_job
from tests.cases.invalid_specs import VALID, InvalidSpec, load_invalid_specs


def test_a_good_job_is_accepted_and_shows_a_state_before_any_operator_saw_it(workspace: Workspace):
    workspace.apply(VALID)

    workspace.assert_table_is_full()


@pytest.mark.parametrize("case", load_invalid_specs(), ids=str)
def test_a_bad_job_is_refused_with_a_message_that_names_the_field(api: client.ApiClient, case: InvalidSpec):
    with pytest.raises(client.ApiException) as refused:
        client.CustomObjectsApi(api).create_namespaced_custom_object(
            GROUP, VERSION, "default", PLURAL, case.job, field_validation="Strict"
        )

    assert refused.value.status in (400, 422)
    assert case.field in refused.value.body
    assert case.message in refused.value.body


def test_what_is_left_out_of_a_job_is_there_with_its_default(workspace: Workspace):
    workspace.apply(build_job())

    assert workspace.job()["spec"]["training"]["numTrainEpochs"] == 5
