"""Lets visitors of the web view in the cluster sign in, and shows each the pages of their own token."""

import re
from collections.abc import Collection
from urllib.parse import parse_qs, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from finscribe_client.errors import ClientError, ClientReason
from finscribe_client.ui.app import Pages, render
from finscribe_client.ui.guard import Guard, host_name, read_cookies
from finscribe_client.ui.visitors import Visitor, Visitors

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
"""Names of the own machine, where `kubectl port-forward` listens: nobody else reads what is sent there."""
COOKIE = "finscribe-ui"
SECURE_COOKIE = "__Host-finscribe-ui"
NAMESPACE_COOKIE = "finscribe-ui-namespace"
HEALTH = "/healthz"
_MAX_FORM_BYTES = 32_768
_PUBLIC = ("/style.css", "/ui.js", "/icon.svg")
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{1,16384}")
_NAMESPACE = re.compile(r"([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)?")
_MALFORMED = "This is not a bearer token."
_NOT_ENCRYPTED = "Open this page by https: a token must not be sent through the network unencrypted."
_WRONG = "The cluster does not accept this token: it is wrong, has ended, or is meant for something else."


class SignIn:
    """The web view of a cluster, for visitors with tokens: from a form, or in the header Authorization.

    It has no rights of its own: each request to the API server is sent with the visitor's token.

    Args:
        visitors: who has signed in.
        hosts: names by which visitors reach the server, beside those of their own machine.
        may_change: whether jobs can be changed, by visitors with the right to.
    """

    def __init__(self, visitors: Visitors, hosts: Collection[str], *, may_change: bool) -> None:
        self._visitors = visitors
        self._may_change = may_change
        self._public = Pages([]).app()
        self._guard = Guard(self._serve, {*hosts, *LOOPBACK})
        self._forms = {
            "/sign-in": self._sign_in,
            "/sign-out": self._sign_out,
            "/namespace": self._choose_namespace,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request; the kubelet's for the health by any name."""
        is_probe = scope["type"] == "http" and scope["path"] == HEALTH
        await (PlainTextResponse("ok\n") if is_probe else self._guard)(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        app: ASGIApp = self._public
        if scope["type"] == "http" and scope["path"] not in _PUBLIC:
            request = Request(scope, receive)
            form = self._forms.get(request.url.path) if request.method == "POST" else None
            app = await (form or self._pages)(request)
        await app(scope, receive, send)

    async def _pages(self, request: Request) -> ASGIApp:
        """The visitor's pages; without a visitor that for signing in."""
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        cookies = read_cookies(request.headers)
        has_token = kind.lower() == "bearer"
        visitor: Visitor | None = None
        problem, status = "", 401
        if has_token:
            try:
                visitor = await self._of_token(token.strip())
            except ClientError as error:
                problem, status = _explain(error)
        else:
            visitor = self._visitors.by_session(_session(cookies))
        if visitor is None:
            return render("sign_in.html.jinja", status, problem=problem, next=_address(request))
        namespace = cookies.get(NAMESPACE_COOKIE)
        chosen = namespace if namespace is not None and _NAMESPACE.fullmatch(namespace) else None
        return visitor.pages(chosen, may_change=self._may_change, can_sign_out=not has_token)

    async def _of_token(self, token: str) -> Visitor:
        if not _TOKEN.fullmatch(token):
            raise ClientError(ClientReason.Rejected, _MALFORMED)
        return await run_in_threadpool(self._visitors.by_token, token)

    async def _sign_in(self, request: Request) -> Response:
        form = await _read_form(request)
        token, address = form.get("token", "").strip(), _own_address(form.get("next", ""))
        origin = urlsplit(request.headers["origin"])
        is_secure = origin.scheme == "https"
        problem, status, session = "", 403, ""
        if not is_secure and host_name(origin.netloc) not in LOOPBACK:
            problem = _NOT_ENCRYPTED
        elif not _TOKEN.fullmatch(token):
            problem = _MALFORMED
        else:
            try:
                session = await run_in_threadpool(self._visitors.sign_in, token)
            except ClientError as error:
                problem, status = _explain(error)
        if not session:
            return render("sign_in.html.jinja", status, problem=problem, next=address)
        response = RedirectResponse(address, 303)
        name = SECURE_COOKIE if is_secure else COOKIE
        response.set_cookie(name, session, httponly=True, samesite="strict", secure=is_secure)
        response.delete_cookie(NAMESPACE_COOKIE)
        return response

    async def _sign_out(self, request: Request) -> Response:
        self._visitors.sign_out(_session(read_cookies(request.headers)))
        response = RedirectResponse("/", 303)
        response.delete_cookie(COOKIE)
        response.delete_cookie(SECURE_COOKIE, secure=True)
        return response

    async def _choose_namespace(self, request: Request) -> Response:
        namespace = (await _read_form(request)).get("namespace", "").strip()
        if not _NAMESPACE.fullmatch(namespace):
            message = "A namespace has small letters, digits and hyphens."
            return render("error.html.jinja", 400, message=message, remedy="")
        response = RedirectResponse("/", 303)
        response.set_cookie(NAMESPACE_COOKIE, namespace, httponly=True, samesite="strict")
        return response


def _session(cookies: dict[str, str]) -> str:
    return cookies.get(SECURE_COOKIE) or cookies.get(COOKIE, "")


async def _read_form(request: Request) -> dict[str, str]:
    """The first value of each field; empty if there are too many bytes."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_FORM_BYTES:
            return {}
    return {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}


def _explain(error: ClientError) -> tuple[str, int]:
    """What is shown of an error at the sign-in, and the HTTP status."""
    if error.reason == ClientReason.AccessDenied:
        return _WRONG, 401
    return str(error), 403 if error.reason == ClientReason.Rejected else 502


def _address(request: Request) -> str:
    """Where a visitor wanted to go: path and query."""
    if request.method != "GET" or request.url.path in ("/sign-in", "/sign-out", "/namespace"):
        return "/"
    return _own_address(request.url.path + (f"?{request.url.query}" if request.url.query else ""))


def _own_address(text: str) -> str:
    r"""An address of this server; its start page for anything else.

    >>> _own_address("/run?key=a"), _own_address("//evil.example"), _own_address("/\\evil.example")
    ('/run?key=a', '/', '/')
    """
    return text if re.match(r"/(?![/\\])", text) else "/"
