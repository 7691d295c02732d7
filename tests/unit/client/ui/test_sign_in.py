"""Who gets into the web view of a cluster, with what in the cookie, and for how long."""

import socket

import pytest
from starlette.responses import Response
from starlette.testclient import TestClient

from finscribe_client.api import jobs_path
from finscribe_client.errors import ClientError
from finscribe_client.ui.sign_in import SignIn
from finscribe_client.ui.visitors import MAX_AGE_SECONDS, MAX_OF_ONE_NAME, MAX_VISITORS, Visitors
from finscribe_core.api.v1alpha1 import FineTuneJobStatus, RunStatus, State, Summary
from finscribe_core.report import outputs_below
from tests.unit.client.builders import SPEC, build_condition
from tests.unit.client.ui.token_cluster import TokenCluster

HOST = "finscribe.example.org"
ANA, BEN = "ana.token", "ben.token"


@pytest.fixture
def cluster() -> TokenCluster:
    return TokenCluster()


@pytest.fixture
def view(cluster: TokenCluster) -> SignIn:
    visitors = Visitors(cluster.connect, lambda: cluster.now)
    return SignIn(visitors, [HOST], may_change=False)


def browser(view: SignIn, origin: str = f"https://{HOST}") -> TestClient:
    return TestClient(view, base_url=origin, headers={"origin": origin}, follow_redirects=False)


def sign_in(client: TestClient, token: str, address: str = "/") -> Response:
    return client.post("/sign-in", data={"token": token, "next": address})


COOKIES = {
    "by https": (f"https://{HOST}", "__Host-finscribe-ui", True),
    "by https at another port": (f"https://{HOST}:8443", "__Host-finscribe-ui", True),
    "by a forwarded port": ("http://localhost:8765", "finscribe-ui", False),
}


@pytest.mark.parametrize(("origin", "name", "is_secure"), COOKIES.values(), ids=COOKIES)
def test_the_token_is_exchanged_for_a_cookie_of_this_server_alone(view, origin, name, is_secure):
    client = browser(view, origin)
    answer = sign_in(client, ANA, "/run?key=cluster/team/tax")
    cookie = next(text for text in answer.headers.get_list("set-cookie") if text.startswith(f"{name}="))

    assert (answer.status_code, answer.headers["location"]) == (303, "/run?key=cluster/team/tax")
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
    assert "Domain" not in cookie and ("Secure" in cookie.split("; ")) == is_secure
    assert ANA not in str(answer.headers)
    page = client.get("/")
    assert (page.status_code, "<span>ana</span>" in page.text) == (200, True)
    assert ANA not in page.text and client.cookies[name] not in page.text
    assert page.headers["cache-control"] == "no-store"


REFUSED = {
    "a wrong token": ({"token": "wrong"}, {}, 401, "does not accept this token"),
    "no token": ({}, {}, 403, "not a bearer token"),
    "a token that would break the header": ({"token": f"{ANA}\r\nX: y"}, {}, 403, "not a bearer token"),
    "a form that is too long": ({"token": ANA, "x": "x" * 40_000}, {}, 403, "not a bearer token"),
    "unencrypted": ({"token": ANA}, {"origin": f"http://{HOST}"}, 403, "by https"),
    "from another page": ({"token": ANA}, {"origin": "https://evil.example"}, 403, "another page"),
    "by another name": ({"token": ANA}, {"host": "evil.example"}, 421, "not one of this server"),
}


@pytest.mark.parametrize(("form", "headers", "status", "text"), REFUSED.values(), ids=REFUSED)
def test_a_sign_in_is_refused_and_leaves_no_cookie(view, form, headers, status, text):
    answer = browser(view).post("/sign-in", data=form, headers=headers)

    assert (answer.status_code, text in answer.text) == (status, True)
    assert "set-cookie" not in answer.headers and ANA not in answer.text


@pytest.mark.parametrize("address", ["//evil.example", "/\\evil.example", "https://evil.example", ""])
def test_nobody_is_sent_to_another_server(view, address):
    assert sign_in(browser(view), ANA, address).headers["location"] == "/"


def test_without_a_sign_in_there_is_a_form_that_leads_back_and_no_data(view):
    client = browser(view)
    answer = client.get("/run?key=cluster/team/tax")

    assert answer.status_code == 401
    assert 'name="next" value="/run?key=cluster/team/tax"' in answer.text
    assert [client.get(path).status_code for path in ("/compare", "/page.jpg?key=a", "/change")] == [401] * 3
    assert [client.get(path).status_code for path in ("/style.css", "/healthz")] == [200, 200]


def test_the_kubelet_asks_for_the_health_by_any_name(view):
    assert TestClient(view, base_url="http://10.0.0.7:8080").get("/healthz").status_code == 200
    assert TestClient(view, base_url="http://10.0.0.7:8080").get("/").status_code == 421


def test_a_proxy_signs_visitors_in_by_the_header_which_alone_counts(view):
    client = browser(view)
    sign_in(client, ANA)

    page = client.get("/", headers={"authorization": f"Bearer {BEN}"})
    assert "<span>ben</span>" in page.text and "Sign out" not in page.text and "ana" not in page.text
    assert client.get("/", headers={"authorization": "Bearer wrong"}).status_code == 401
    assert client.get("/", headers={"authorization": 'Bearer "a b"'}).status_code == 403
    assert "Sign out" in client.get("/").text


def sign_out(client: TestClient, cluster: TokenCluster) -> None:
    assert client.post("/sign-out").status_code == 303


def grow_old(client: TestClient, cluster: TokenCluster) -> None:
    cluster.now += MAX_AGE_SECONDS + 1


def withdraw(client: TestClient, cluster: TokenCluster) -> None:
    cluster.withdrawn.add(ANA)
    assert "Sign in again" in client.get("/").text


def sign_in_elsewhere(client: TestClient, cluster: TokenCluster) -> None:
    for _ in range(MAX_OF_ONE_NAME):
        sign_in(TestClient(client.app, base_url=client.base_url, headers=client.headers), ANA)


@pytest.mark.parametrize("end", [sign_out, grow_old, withdraw, sign_in_elsewhere])
def test_a_session_ends_and_others_do_not(view, cluster, end):
    clients = {token: browser(view) for token in (ANA, BEN)}
    for token, client in clients.items():
        sign_in(client, token)
    session = dict(clients[ANA].cookies)
    if end is grow_old:
        cluster.now += MAX_AGE_SECONDS / 2
        sign_in(clients[BEN], BEN)
        cluster.now -= MAX_AGE_SECONDS / 2
    end(clients[ANA], cluster)

    clients[ANA].cookies.update(session)
    assert clients[ANA].get("/").status_code == 401
    assert "<span>ben</span>" in clients[BEN].get("/").text


def test_a_bounded_number_of_visitors_is_kept(cluster):
    visitors = Visitors(cluster.connect, lambda: cluster.now)
    first, *_, last = [visitors.sign_in(f"user{number}.token") for number in range(MAX_VISITORS + 1)]

    assert (visitors.by_session(first) is None, visitors.by_session(last) is None) == (True, False)


def test_a_namespace_is_chosen_for_this_browser_until_somebody_else_signs_in(view):
    client = browser(view)
    sign_in(client, ANA)
    assert 'name="namespace" value=""' in client.get("/").text

    assert client.post("/namespace", data={"namespace": "team-a"}).status_code == 303
    assert 'name="namespace" value="team-a"' in client.get("/").text
    assert client.post("/namespace", data={"namespace": "../team"}).status_code == 400
    sign_in(client, BEN)
    assert 'name="namespace" value=""' in client.get("/").text


def test_no_address_is_visited_that_a_job_names_and_the_page_says_what_is_missing(view, cluster):
    with socket.create_server(("127.0.0.1", 0)) as bucket:
        bucket.setblocking(False)
        outputs = outputs_below("s3://team/tax/runs/tax-1", merged=False, evaluated=True)
        status = FineTuneJobStatus(
            observed_generation=1,
            summary=Summary(state=State.Complete),
            conditions=[build_condition("Reconciling", "False", "Done")],
            run=RunStatus(name="tax-1", outputs=outputs),
        )
        storage = {"endpoint": f"http://127.0.0.1:{bucket.getsockname()[1]}"}
        cluster.objects[jobs_path("team", "tax")] = {
            "metadata": {"name": "tax", "namespace": "team"},
            "spec": {**SPEC, "storage": storage},
            "status": status.to_kubernetes(),
        }
        client = browser(view)
        sign_in(client, ANA)
        page = client.get("/run?key=cluster/team/tax").text

        assert "no credentials" in page and "finscribe ui --namespace team" in page
        assert "can&#39;t be read" not in page and "All 3 documents" not in page
        assert client.get("/documents?key=cluster/team/tax").status_code == 404
        with pytest.raises(BlockingIOError):
            bucket.accept()


def test_a_token_of_nobody_is_refused(cluster):
    with pytest.raises(ClientError, match="whose token"):
        Visitors(cluster.connect).sign_in(".token")
