"""The demo's directory: results that are not of an earlier demo are never replaced."""

import pytest
from click.testing import CliRunner

from finscribe_core.errors import UserError
from finscribe_operator.local.demo import demo


def test_results_of_something_else_are_refused(tmp_path):
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "report.md").write_text("mine")
    with pytest.raises(UserError, match="is not of an earlier demo"):
        CliRunner().invoke(demo, ["--directory", str(tmp_path)], catch_exceptions=False)
    assert [path.name for path in tmp_path.iterdir()] == ["results"]
