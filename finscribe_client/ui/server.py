"""Serves the pages: on this machine at an address with a secret, or in a pod."""

import secrets
import socket
import webbrowser
from collections.abc import Callable
from contextlib import suppress

import uvicorn
from starlette.types import ASGIApp

from finscribe_client.ui.access import Access
from finscribe_client.ui.app import Pages

HOST = "127.0.0.1"
_SECONDS_TO_END = 10


def serve(pages: Pages, port: int, announce: Callable[[str], None], *, opens_browser: bool = False) -> None:
    """Serve until Ctrl+C; only programs of this machine reach the server.

    Args:
        pages: the pages.
        port: a TCP port; a free one if 0.
        announce: is called with the address once the port is open.
        opens_browser: whether to open the address.

    Raises:
        OSError: the port is taken.
    """
    with socket.create_server((HOST, port)) as listener:
        server, address = prepare(pages, listener)
        announce(address)
        if opens_browser:
            webbrowser.open(address)
        with suppress(KeyboardInterrupt):  # uvicorn has ended in order, and passes the signal on
            server.run(sockets=[listener])


def prepare(pages: Pages, listener: socket.socket) -> tuple[uvicorn.Server, str]:
    """A server for an open port, and its address with a new secret."""
    port = listener.getsockname()[1]
    token = secrets.token_urlsafe(24)
    app = Access(pages.app(), token, [f"{name}:{port}" for name in (HOST, "localhost")])
    config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False)
    return uvicorn.Server(config), f"http://{HOST}:{port}/?token={token}"


def serve_cluster(app: ASGIApp, address: str, port: int) -> None:
    """Serve in a pod until SIGTERM; requests are not logged, as nothing in them is the log's business."""
    uvicorn.run(
        app,
        host=address,
        port=port,
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_SECONDS_TO_END,
    )
