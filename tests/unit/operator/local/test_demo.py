"""What the demo refuses before it starts."""

import re

import pytest
from click.testing import CliRunner

from finscribe_core.errors import UserError
from finscribe_operator.local.demo import demo, find_example


def test_results_of_something_else_are_refused(tmp_path):
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "report.md").write_text("mine")
    with pytest.raises(UserError, match="is not of an earlier demo"):
        CliRunner().invoke(demo, ["--directory", str(tmp_path)], catch_exceptions=False)
    assert [path.name for path in tmp_path.iterdir()] == ["results"]


@pytest.mark.parametrize(
    ("written", "changed", "message"),
    [
        (
            "finscribe-demo/results/",
            "my-bucket/results/",
            r"spec.output.uri is s3://my-bucket/results/invoices",
        ),
        (r"evaluation:\n", "evaluation:\n    enabled: false\n", "spec.evaluation.enabled is false"),
    ],
)
def test_a_job_whose_results_could_not_be_shown_is_refused(written, changed, message, tmp_path):
    job = tmp_path / "job.yaml"
    text = find_example().read_text()
    assert re.search(written, text)
    job.write_text(re.sub(r" *gate: .*\n", "", re.sub(written, changed, text)))
    with pytest.raises(UserError, match=message):
        CliRunner().invoke(
            demo, ["--directory", str(tmp_path / "demo"), "--job", str(job)], catch_exceptions=False
        )
    assert not (tmp_path / "demo").exists()
