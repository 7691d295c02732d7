"""Who may see the pages on this machine: a browser that was opened at the secret address."""

import hashlib
import secrets
from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from finscribe_client.ui.guard import Guard, read_cookies

_CLOSED = "Open the address that `finscribe ui` has printed: it ends with a secret.\n"


class Access:
    """Refuses requests without the token, and those that the `Guard` refuses.

    The token is in the address that is printed at the start. It is exchanged for a cookie at once, so that it
    stays in no address bar.

    Args:
        app: serves the requests that are let through.
        token: the secret.
        hosts: values of the Host header that are the server's own.
    """

    def __init__(self, app: ASGIApp, token: str, hosts: Collection[str]) -> None:
        self._app = app
        self._token = token
        self._guard = Guard(self._serve, hosts)
        # Cookies do not know ports: two servers would overwrite each other's.
        self._cookie = f"finscribe-ui-{hashlib.sha256(token.encode()).hexdigest()[:8]}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        await self._guard(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = self._answer(scope) if scope["type"] == "http" else None
        await (answer or self._app)(scope, receive, send)

    def _answer(self, scope: Scope) -> Response | None:
        query = scope["query_string"].decode("latin-1")
        if query.startswith("token=") and self._is_token(query.removeprefix("token=")):
            response = RedirectResponse("/", 303)
            response.set_cookie(self._cookie, self._token, httponly=True, samesite="strict")
            return response
        given = read_cookies(Headers(scope=scope)).get(self._cookie, "")
        return None if self._is_token(given) else PlainTextResponse(_CLOSED, 401)

    def _is_token(self, value: str) -> bool:
        return secrets.compare_digest(value.encode(), self._token.encode())
