"""Starts the web view of a cluster, for visitors who sign in: `python -m finscribe_client.ui`."""

import logging
import os
import sys
from pathlib import Path

import click

from finscribe_client.api import Api
from finscribe_client.ui.server import serve_cluster
from finscribe_client.ui.sign_in import SignIn
from finscribe_client.ui.visitors import Visitors
from finscribe_core.constants import EXIT_USER_ERROR
from finscribe_core.core_dumps import forbid_core_dumps
from finscribe_core.logs import JsonFormatter, Redactor


@click.command()
@click.option("--bind", default="0.0.0.0", show_default=True, help="Address to listen on.")  # noqa: S104 - a pod's
@click.option("--port", type=click.IntRange(1, 65535), default=8080, show_default=True, help="Port.")
@click.option("--host", "hosts", multiple=True, help="Name by which visitors reach the server; repeatable.")
@click.option("--allow-changes", is_flag=True, help="Show buttons that change jobs.")
@click.option(
    "--ca-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    default="/etc/finscribe/ca.crt",
    show_default=True,
    help="Certificate authority of the API server.",
)
@click.option("--api-server", metavar="URL", help="The API server; by default that of the pod's cluster.")
def main(
    *,
    bind: str,
    port: int,
    hosts: tuple[str, ...],
    allow_changes: bool,
    ca_file: Path,
    api_server: str | None,
) -> None:
    """Serve the web view in a pod, until SIGTERM. Each visitor reads with a token of their own."""
    forbid_core_dumps()  # visitors' tokens are in the memory
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter(Redactor(os.environ)))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    server = api_server or _server_of_the_pod()
    visitors = Visitors(lambda token, on_refused: Api.with_token(server, ca_file, token, on_refused))
    serve_cluster(SignIn(visitors, hosts, may_change=allow_changes), bind, port)


def _server_of_the_pod() -> str:
    """URL of the API server, from the variables that Kubernetes sets in every container."""
    host, port = (os.environ.get(f"KUBERNETES_SERVICE_{name}", "") for name in ("HOST", "PORT"))
    if not host:
        click.echo("error: this is not a pod; pass --api-server", err=True)
        sys.exit(EXIT_USER_ERROR)
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"


if __name__ == "__main__":
    main()
