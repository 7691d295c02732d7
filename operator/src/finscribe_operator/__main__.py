"""Starts the operator: `python -m finscribe_operator`."""

import logging
import sys
from pathlib import Path

import click
import kopf
import uvloop
from prometheus_client import start_http_server

from finscribe_core.errors import FinscribeError
from finscribe_operator.config import OperatorConfig, read_config
from finscribe_operator.controller import Controller
from finscribe_operator.handlers import build_registry
from finscribe_operator.intake import allow_deep_json
from finscribe_operator.kubernetes_cluster import KubernetesCluster
from finscribe_operator.logs import configure_logging
from finscribe_operator.metrics import Metrics
from finscribe_operator.store import Store

logger = logging.getLogger(__name__)


@click.command()
@click.option(
    "--config", "config_file", type=click.Path(path_type=Path), help="YAML file; all defaults without it."
)
def main(config_file: Path | None) -> None:
    """Run the FinScribe operator until SIGTERM or SIGINT."""
    try:
        config = read_config(config_file)
    except FinscribeError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    configure_logging(config)
    if not allow_deep_json():
        logger.warning(
            "This Python can't parse every object that an API server accepts: a single object that is nested "
            "thousands deep would stop the operator. Run it with Python 3.11, as its image does."
        )
    uvloop.run(run_operator(config))


async def run_operator(config: OperatorConfig) -> None:
    """Watch and reconcile FineTuneJobs until SIGTERM or SIGINT."""
    store = Store()
    metrics = Metrics(store)
    cluster = await KubernetesCluster.connect(config, metrics)
    controller = Controller(cluster, store, config, metrics)
    server, thread = start_http_server(config.metrics_port, config.bind_address, metrics.registry)
    try:
        await kopf.operator(
            registry=build_registry(controller),
            standalone=True,
            clusterwide=not config.namespaces,
            namespaces=config.namespaces,
            liveness_endpoint=f"http://{config.bind_address}:{config.health_port}/healthz",
        )
    finally:
        await cluster.close()
        server.shutdown()
        thread.join()


if __name__ == "__main__":
    main()
