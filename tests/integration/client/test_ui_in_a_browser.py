"""The web view in a real browser: no complaint, no overflow, accessible, and it refreshes itself.

Screenshots for visual review are in pytest's temporary folder."""

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
import yaml
from playwright.sync_api import Browser, Page

from finscribe_client.local_runs import LocalRuns
from finscribe_client.ui.app import Pages
from finscribe_client.ui.job_runs import JobRuns
from finscribe_client.ui.server import HOST, prepare
from finscribe_client.ui.sign_in import SignIn
from finscribe_client.ui.training_folders import TrainingFolders
from finscribe_client.ui.visitors import Visitors
from finscribe_core.api.v1alpha1 import FineTuneJobStatus, RunStatus, State, Summary
from finscribe_core.report import PhaseSeconds, Progress
from tests.support.browser import TOO_WIDE, chromium, complaints_about, inaccessible
from tests.unit.client.builders import build_condition
from tests.unit.client.ui.places import HOSTILE, write_answers, write_job, write_training
from tests.unit.client.ui.token_cluster import TokenCluster

pytestmark = pytest.mark.browser
LOOKS = {
    "desktop": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"},
    "dark phone": {"viewport": {"width": 360, "height": 740}, "color_scheme": "dark"},
}
PAGES = [
    "/",
    "/run?key=folder1/newer",
    "/run?key=local/default/tax",
    "/documents?key=folder1/newer&show=regressed",
    "/document?key=folder1/newer&number=1",
    "/document?key=folder1/newer&number=2",
    "/compare?a=folder1/older&b=folder1/newer",
    "/run?key=folder1/none",
]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("ui")
    answers = write_answers(root / "data")
    write_training(root / "runs" / "older", {"training": {"learning_rate": 0.1}})
    write_training(root / "runs" / "newer", {"training": {"learning_rate": 0.2}}, answers=answers)
    running = root / "runs" / "running"
    (running / "checkpoint-1").mkdir(parents=True)
    (running / "config.yaml").write_text(yaml.safe_dump({"training": {"max_steps": 10}}))
    status = FineTuneJobStatus(
        observed_generation=1,
        summary=Summary(state=State.Running, progress="40%", loss="0.5"),
        conditions=[build_condition("Running", "True", "Training", HOSTILE)],
        run=RunStatus(name="tax-1", attempts=1),
        progress=Progress(phase_seconds=PhaseSeconds(downloading=30, training=90)),
    )
    write_job(root / "state", "tax", status)
    return root


@pytest.fixture(scope="module")
def address(root: Path) -> Iterator[str]:
    """Of the running server, with its secret."""
    pages = Pages([TrainingFolders(root / "runs", 1), JobRuns(LocalRuns(root / "state"), "local")], [root])
    with socket.create_server((HOST, 0)) as listener:
        server, address = prepare(pages, listener)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        yield address
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


def open_page(browser: Browser, address: str, look: str) -> tuple[Page, str, list[str]]:
    """A page on which the address was opened, the server's origin, and what the browser complains about."""
    page = browser.new_context(**LOOKS[look]).new_page()
    origin = address.partition("/?")[0]
    complaints = complaints_about(page, origin)
    page.goto(address)
    assert page.url == f"{origin}/"
    return page, origin, complaints


@pytest.mark.parametrize("look", LOOKS)
def test_every_page_fits_the_screen_and_keeps_the_rules_of_accessibility(
    browser: Browser, address: str, look: str, tmp_path: Path
):
    page, origin, complaints = open_page(browser, address, look)
    for number, path in enumerate(PAGES):
        page.goto(origin + path)
        page.screenshot(path=tmp_path / f"{look}-{number}.png", full_page=True)
        assert page.title() != "hacked"
        assert page.evaluate(TOO_WIDE) == [], path
        assert inaccessible(page) == [], path
        broken = page.evaluate("[...document.images].filter(one => !one.naturalWidth).length")
        assert broken == 0, path
    assert [one for one in complaints if "404" not in one] == []
    page.context.close()


def test_the_page_of_a_running_training_refreshes_itself(browser: Browser, address: str, root: Path):
    page, origin, complaints = open_page(browser, address, "desktop")
    page.goto(f"{origin}/run?key=folder1/running")
    assert page.locator(".curve").count() == 0
    log = [{"step": step, "loss": 2.0 / step} for step in (1, 2, 3)]
    state = {"global_step": 3, "max_steps": 10, "log_history": log}
    (root / "runs" / "running" / "checkpoint-1" / "trainer_state.json").write_text(json.dumps(state))
    page.locator(".curve").first.wait_for(timeout=20_000)
    assert "30 %" in page.locator(".wide").inner_text().replace("\N{NO-BREAK SPACE}", " ")
    assert complaints == []
    page.context.close()


@pytest.fixture
def shared() -> Iterator[str]:
    """Address of the running server of a cluster's visitors."""
    app = SignIn(Visitors(TokenCluster().connect), [], may_change=False)
    with socket.create_server((HOST, 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        yield f"http://{HOST}:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()


@pytest.mark.parametrize("look", LOOKS)
def test_a_visitor_signs_in_chooses_a_namespace_and_signs_out(
    browser: Browser, shared: str, look: str, tmp_path: Path
):
    page = browser.new_context(**LOOKS[look]).new_page()
    complaints = complaints_about(page, shared)

    def look_at(name: str) -> None:
        page.screenshot(path=tmp_path / f"{look}-{name}.png", full_page=True)
        assert (page.evaluate(TOO_WIDE), inaccessible(page)) == ([], []), name

    page.goto(f"{shared}/compare")
    look_at("sign-in")
    page.get_by_label("Token").fill(
        "somebody-with-the-long-name-of-a-service-account-in-another-namespace.token"
    )
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Compare two runs").wait_for()
    page.get_by_role("link", name="Runs").click()
    page.get_by_label("Namespace").fill("team-invoices")
    page.get_by_role("button", name="Show").click()
    page.get_by_role("heading", name="Namespace team-invoices").wait_for()
    look_at("runs")
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("heading", name="Sign in").wait_for()
    assert [one for one in complaints if "401" not in one] == []
    page.context.close()
