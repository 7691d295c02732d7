"""The queries of the dashboards are PromQL; tests/e2e/test_dashboard.py runs them."""

import subprocess

import pytest
import yaml

from tests.e2e.range_queries import with_variables
from tools.dashboards.build import BOARDS

pytestmark = pytest.mark.chart


def test_promtool_accepts_every_query(promtool, tmp_path):
    panels = [panel for board in BOARDS for row in board.rows.values() for panel in row]
    queries = {query.expr for panel in panels for query in panel.queries}
    rules = [
        {"record": f"query:{number}", "expr": with_variables(query)}
        for number, query in enumerate(sorted(queries))
    ]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "boards", "rules": rules}]}))

    command = [promtool, "check", "rules", str(tmp_path / "rules.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
