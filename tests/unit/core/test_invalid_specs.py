import pytest
from pydantic import ValidationError

from finscribe_core.api.v1alpha1 import FineTuneJob
from finscribe_core.parsing import validation_problems
from tests.cases.invalid_specs import VALID, InvalidSpec, load_invalid_specs


def test_the_job_that_the_invalid_ones_are_derived_from_is_valid():
    assert FineTuneJob.model_validate(VALID).spec.training.learning_rate == 2e-5


@pytest.mark.parametrize("case", load_invalid_specs(), ids=str)
def test_an_invalid_job_is_refused_with_a_message_that_names_the_field(case: InvalidSpec):
    with pytest.raises(ValidationError) as caught:
        FineTuneJob.model_validate(case.job)

    problems = [text for _, text in validation_problems(caught.value)]

    assert any(case.field in text and case.message in text for text in problems), problems
