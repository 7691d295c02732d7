"""Starts the operator: `python -m finscribe_operator`."""

import asyncio
import logging
import sys
from contextlib import suppress
from pathlib import Path

import click
import kopf
import uvloop
from prometheus_client import start_http_server

from finscribe_core.core_dumps import forbid_core_dumps
from finscribe_core.errors import FinscribeError
from finscribe_operator.config import OperatorConfig, read_config
from finscribe_operator.controller import Controller
from finscribe_operator.election import API_VERSION, Election, identify
from finscribe_operator.handlers import build_registry
from finscribe_operator.health import Health
from finscribe_operator.intake import allow_deep_json
from finscribe_operator.kubernetes_cluster import KubernetesCluster
from finscribe_operator.leadership import Leadership
from finscribe_operator.logs import configure_logging, log_loop_error
from finscribe_operator.metrics import Metrics
from finscribe_operator.objects import Ref
from finscribe_operator.store import Store
from finscribe_operator.watchdog import Watchdog
from finscribe_operator.watches import Watches

logger = logging.getLogger(__name__)


def _parse_lease(_: click.Context, __: click.Parameter, value: str | None) -> Ref | None:
    if value is None:
        return None
    namespace, slash, name = value.partition("/")
    if not (namespace and slash and name) or "/" in name:
        raise click.BadParameter("must be NAMESPACE/NAME, such as finscribe-system/finscribe-operator")
    return Ref(API_VERSION, "Lease", namespace, name)


@click.command()
@click.option(
    "--config", "config_file", type=click.Path(path_type=Path), help="YAML file; all defaults without it."
)
@click.option(
    "--lease",
    metavar="NAMESPACE/NAME",
    callback=_parse_lease,
    help="Lease that decides which of several replicas works. Without it this one works, whatever others do.",
)
def main(config_file: Path | None, lease: Ref | None) -> None:
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
    watchdog = Watchdog()
    watchdog.start()
    try:
        uvloop.run(run_operator(config, watchdog, lease))
    except Exception as error:
        logger.critical(
            "The operator failed and exits",
            exc_info=True,
            extra={"error": f"{type(error).__name__}: {error}"},
        )
        sys.exit(1)


async def run_operator(config: OperatorConfig, watchdog: Watchdog, lease: Ref | None) -> None:
    """Watch FineTuneJobs until SIGTERM or SIGINT, and reconcile them while this replica holds the Lease.

    Raises:
        Exception: a task of kopf failed, or a port is in use, or there are no credentials.
    """
    asyncio.get_running_loop().set_exception_handler(log_loop_error)
    store, watches = Store(), Watches(config.namespaces or [""])
    leadership = Leadership() if lease else Leadership.permanent()
    metrics = Metrics(store, watches, leadership)
    stop = watchdog.stop_event()
    cluster = await KubernetesCluster.connect(config, metrics, leadership)
    controller = Controller(cluster, store, config, metrics, cluster.clock, watches)
    election = None
    if lease:
        settings = config.leader_election
        election = Election(lease, identify(), settings, cluster, leadership, controller)
    server, thread = start_http_server(config.metrics_port, config.bind_address, metrics.registry)
    health = await Health(controller, watches, config).serve(config.bind_address, config.health_port)
    try:
        work = asyncio.create_task(_work(controller, election))
        ours = asyncio.all_tasks()
        tasks = await kopf.spawn_tasks(
            registry=build_registry(controller, watches),
            standalone=True,
            clusterwide=not config.namespaces,
            namespaces=config.namespaces,
            stop_flag=stop,
        )
        await asyncio.wait([*tasks, work], return_when=asyncio.FIRST_COMPLETED)  # only to stop, or to fail
        watchdog.arm()
        work.cancel()  # first, so that another replica takes over at once
        with suppress(asyncio.CancelledError):
            await work
        await kopf.run_tasks(tasks, ignored=ours)
    finally:
        watchdog.arm()
        await health.cleanup()
        await cluster.close()
        server.shutdown()
        thread.join()


async def _work(controller: Controller, election: Election | None) -> None:
    """Lead, or take part in the election, as soon as everything has been listed; until it is cancelled."""
    await controller.started.wait()
    if election is not None:
        await election.run()
    controller.lead()
    try:
        await asyncio.Event().wait()
    finally:
        await controller.step_down()


if __name__ == "__main__":
    forbid_core_dumps()
    main()
