import os
import re
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from finscribe_client.local_runs import LocalRuns
from finscribe_client.ui.access import Access
from finscribe_client.ui.app import Pages
from finscribe_client.ui.guard import CONTENT_POLICY
from finscribe_client.ui.job_runs import JobRuns
from finscribe_client.ui.training_folders import TrainingFolders
from finscribe_core.api.v1alpha1 import FineTuneJobStatus, RunRecord, RunStatus, State, Summary
from finscribe_core.report import Metrics, Phase, PhaseSeconds, Progress
from tests.support.html_elements import Elements
from tests.unit.client.builders import build_condition
from tests.unit.client.ui.places import HOSTILE, write_answers, write_job, write_training

TOKEN, HOST = "secret", "127.0.0.1:1"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two trainings, the older one without documents, and the data of the newer one."""
    root = tmp_path_factory.mktemp("ui")
    answers = write_answers(root / "data")
    write_training(root / "runs" / "older", {"training": {"learning_rate": 0.1, "seed": 1}})
    write_training(root / "runs" / "newer", {"training": {"learning_rate": 0.2, "seed": 1}}, answers=answers)
    os.utime(root / "runs" / "older" / "config.yaml", (1, 1))
    status = FineTuneJobStatus(
        observed_generation=1,
        summary=Summary(state=State.Running, progress="40%", loss="0.5"),
        conditions=[build_condition("Running", "True", "Training", HOSTILE)],
        run=RunStatus(name="tax-2", attempts=1, start_time="2026-03-01T09:20:00Z"),
        progress=Progress(phase=Phase.Training, phase_seconds=PhaseSeconds(downloading=30, training=90)),
        runs=[RunRecord(name="tax-1", outcome="Failed", metrics=Metrics(eval_loss="0.7"))],
    )
    write_job(root / "state", "tax", status)
    return root


@pytest.fixture(scope="module")
def client(root: Path) -> TestClient:
    """A browser that has opened the address."""
    places = [TrainingFolders(root / "runs", 1), JobRuns(LocalRuns(root / "state"), "local")]
    app = Access(Pages(places, [root]).app(), TOKEN, [HOST])
    client = TestClient(app, base_url=f"http://{HOST}", follow_redirects=False)
    assert client.get(f"/?token={TOKEN}").status_code == 303
    return client


def read(client: TestClient, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200, response.text
    return response.text


REFUSED = {
    "no secret": ("GET", {"host": HOST}, 401),
    "a wrong secret": ("GET", {"host": HOST, "cookie": "finscribe-ui-2bb80d53=x"}, 401),
    "another name, as after DNS rebinding": ("GET", {"host": "evil.example", "cookie": "ok"}, 421),
    "a change from another page": (
        "POST",
        {"host": HOST, "cookie": "ok", "origin": "http://evil.example"},
        403,
    ),
    "a change without an origin": ("POST", {"host": HOST, "cookie": "ok"}, 403),
}


@pytest.mark.parametrize(("method", "headers", "status"), REFUSED.values(), ids=REFUSED)
def test_a_request_from_elsewhere_is_refused(client: TestClient, method, headers, status):
    own = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    headers = {**headers, "cookie": own} if headers.get("cookie") == "ok" else headers
    outside = TestClient(client.app, base_url=f"http://{HOST}", follow_redirects=False)
    response = outside.request(method, "/change" if method == "POST" else "/", headers=headers)
    assert response.status_code == status
    assert response.headers["content-security-policy"] == CONTENT_POLICY


def test_the_secret_is_taken_out_of_the_address(client: TestClient):
    response = client.get(f"/?token={TOKEN}")
    assert (response.status_code, response.headers["location"]) == (303, "/")
    assert "HttpOnly" in response.headers["set-cookie"]
    assert "SameSite=strict" in response.headers["set-cookie"]


def test_trainings_and_jobs_are_listed_with_state_loss_and_accuracy(client: TestClient):
    page = read(client, "/")
    assert re.search(r"folder1/newer.*Complete.*75\.0%.*folder1/older", page, re.DOTALL)
    assert re.search(r"local/default/tax\".*Running.*40&nbsp;%.*0\.5", page, re.DOTALL)


def test_a_run_shows_curves_and_what_differs_from_the_run_before(client: TestClient):
    page = read(client, "/run?key=folder1/newer")
    assert page.count("<polyline") == 4  # training, validation, base model; field accuracy
    changed = page[page.index("What differs") : page.index("All 2 settings")]
    assert "learning_<wbr>rate" in changed
    assert "0.1" in changed
    assert "0.2" in changed
    assert "seed" not in changed


def test_a_job_shows_its_phases_its_earlier_runs_and_why_it_waits(client: TestClient):
    page = read(client, "/run?key=local/default/tax")
    for text in ("Downloading", "1m30s", "tax-1", "Failed", "2026-03-01 09:20 UTC", "data-live"):
        assert text in page
    assert "data-live" not in read(client, "/run?key=local/default/tax/tax-1")


LISTED = {
    "": [2, 3, 1],
    "sort=rows": [1, 2, 3],
    "sort=best": [1, 3, 2],
    "show=regressed": [2],
    "show=no-json": [2],
    "type=invoice": [3, 1],
    "q=ACME": [1],
    "q=nothing": [],
    "show=unknown": [],
    "sort=unknown&page=99": [2, 3, 1],
}


@pytest.mark.parametrize(("query", "numbers"), LISTED.items(), ids=LISTED)
def test_documents_are_filtered_and_sorted_over_all_of_them(client: TestClient, query, numbers):
    page = read(client, f"/documents?key=folder1/newer&{query}")
    assert [int(number) for number in re.findall(r"number=(\d+)\">", page)] == numbers


def test_a_document_shows_page_box_and_marked_characters(client: TestClient):
    page = read(client, "/document?key=folder1/newer&number=1")
    assert '12.<mark class="mark-wrong">6</mark></span>' in page
    assert 'viewBox="0 0 600 800"' in page
    assert '<rect x="50.0" y="60.0" width="200.0" height="40.0" class="is-good">' in page
    image = client.get("/page.jpg?key=folder1/newer&number=1&page=1")
    assert image.headers["content-type"] == "image/jpeg"
    assert image.content.startswith(b"\xff\xd8")
    assert client.get("/page.jpg?key=folder1/newer&number=1&page=2").status_code == 404


def test_two_runs_are_compared(client: TestClient):
    page = read(client, "/compare?a=folder1/older&b=folder1/newer")
    assert page.count("<polyline") == 4
    assert "learning_<wbr>rate" in page


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/document?key=folder1/newer&number=2",
        "/documents?key=folder1/newer&q=%3Cscript%3E",
        "/run?key=local/default/tax",
        "/run?key=%3Cscript%3Ealert(1)%3C/script%3E",
        "/compare?a=%22onerror=&b=",
    ],
)
def test_hostile_texts_stay_texts(client: TestClient, path):
    elements = Elements(client.get(path).text).found
    scripts = [attributes for tag, attributes in elements if tag == "script"]
    assert scripts == [{"src": "/ui.js", "defer": None}]
    names = {name for _, attributes in elements for name in attributes}
    assert not {name for name in names if name.startswith("on") or name == "style"}
    assert {tag for tag, _ in elements} & {"iframe", "object", "base"} == set()


@pytest.mark.parametrize(
    "path",
    [
        "/run?key=folder1/../data",
        "/run?key=folder1//etc",
        "/run?key=folder9/newer",
        "/run?key=local/default/other",
        "/documents?key=folder1/older",
        "/document?key=folder1/newer&number=4",
        "/data?name=/etc/passwd",
        "/etc/passwd",
    ],
)
def test_what_is_not_listed_is_not_found(client: TestClient, path):
    response = client.get(path)
    assert response.status_code == 404
    assert "root:" not in response.text


def test_a_job_is_not_changed_by_a_view_that_was_started_without_rights(client: TestClient):
    response = client.post(
        "/change",
        content="key=local/default/tax&action=suspend",
        headers={"origin": f"http://{HOST}", "content-type": "application/x-www-form-urlencoded"},
    )
    assert response.status_code == 502
    assert "suspend is not possible here" in response.text
    assert "<button" not in read(client, "/run?key=local/default/tax")
