"""Every command line of a page is run by a test, or a reader is told why it is not."""

import re
from importlib import import_module

import pytest

from tests.unit.docs.pages import ALL, ROOT

RUNNERS = [
    "tests.apiserver.test_cli_page",
    "tests.apiserver.test_kubeflow",
    "tests.apiserver.test_pod_overlay",
    "tests.apiserver.test_queue",
    "tests.apiserver.test_stages",
    "tests.e2e.test_cluster_page",
    "tests.e2e.test_demo",
    "tests.e2e.test_pages",
    "tests.e2e.test_ui",
    "tests.integration.docs.test_pages",
    "tests.integration.docs.test_predict",
    "tests.integration.docs.test_readme",
    "tests.integration.docs.test_training_guide",
    "tests.integration.docs.test_tutorial",
    "tests.integration.docs.test_your_documents",
    "tests.unit.data_tools.importing.test_page",
]
"""Test modules with the constant RUN: the command lines that their tests run."""

pages = pytest.mark.parametrize("page", ALL.values(), ids=ALL.keys())


@pytest.fixture(scope="module")
def run_lines() -> set[str]:
    """All lines that tests run, and the targets of make that the checks of a change call."""
    (targets,) = re.findall(r"^for target in (.*); do$", (ROOT / ".ci/run").read_text(), re.MULTILINE)
    called = {f"make {target}" for target in ("setup", *targets.split())}  # all of them need setup
    return called.union(*(import_module(name).RUN for name in RUNNERS))


@pages
def test_a_test_runs_each_command_line_of_a_page(page, run_lines):
    assert [line for line in page.tested_commands if line not in run_lines] == []


@pages
def test_a_reader_is_told_why_no_test_runs_the_others(page):
    titles = page.titles_of_untested_commands
    assert [title for title in titles if not re.fullmatch(r"Not run by tests: .{10,}", title)] == []
