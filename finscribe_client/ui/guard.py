"""What holds for every request and response: own host names, changes from own pages, no foreign scripts."""

from collections.abc import Collection
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS = {
    "content-security-policy": CONTENT_POLICY,
    "x-content-type-options": "nosniff",
    # With "no-referrer" browsers would send `Origin: null` with the forms of these pages.
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
_OTHER_HOST = "This name is not one of this server.\n"
_OTHER_ORIGIN = "This request comes from another page.\n"


class Guard:
    """Refuses requests with another Host (DNS rebinding), or that change something from another page.

    Args:
        app: serves the requests that are let through.
        hosts: the server's own names; one without a port is meant with any port.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str]) -> None:
        self._app = app
        self._hosts = {host.lower() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                known = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
                message = {**message, "headers": [*message["headers"], *known]}
            await send(message)

        refusal = self._refusal(scope)
        await (refusal or self._app)(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "").lower()
        if not {host, host_name(host)} & self._hosts:
            return PlainTextResponse(_OTHER_HOST, 421)
        origin = headers.get("origin")
        if scope["method"] not in ("GET", "HEAD") and (origin is None or urlsplit(origin).netloc != host):
            return PlainTextResponse(_OTHER_ORIGIN, 403)
        return None


def host_name(host: str) -> str:
    """A Host header without its port.

    >>> host_name("finscribe.example.org:8443"), host_name("[::1]:80"), host_name("localhost")
    ('finscribe.example.org', '[::1]', 'localhost')
    """
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdecimal() else host


def read_cookies(headers: Headers) -> dict[str, str]:
    """The cookies of a request by name; none if they can't be read."""
    try:
        cookies = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return {}
    return {name: cookie.value for name, cookie in cookies.items()}
