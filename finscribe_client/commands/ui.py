"""`finscribe ui`: the web view."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from finscribe_client.commands.bucket_options import endpoint_option
from finscribe_client.commands.options import HELP_SETTINGS
from finscribe_client.errors import ClientError, ClientReason
from finscribe_core.cli import not_installed

if TYPE_CHECKING:
    from finscribe_client.ui.run_view import Place


@click.command(context_settings=HELP_SETTINGS)
@click.argument("folders", nargs=-1, type=click.Path(file_okay=False, path_type=Path))
@click.option("--cluster", is_flag=True, help="Jobs of a cluster, also beside FOLDERS or --local.")
@click.option(
    "-n", "--namespace", metavar="NAME", help="Namespace of the jobs; that of the context by default."
)
@click.option("-A", "--all-namespaces", is_flag=True, help="Jobs of all namespaces.")
@click.option("--context", metavar="NAME", help="Context of the kubeconfig; the current one by default.")
@click.option("--local", is_flag=True, help="Jobs of `finscribe run` on this machine.")
@click.option(
    "--state-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=".finscribe",
    show_default=True,
    help="Where `finscribe run` keeps its state, for --local.",
)
@endpoint_option
@click.option(
    "--allow-changes", is_flag=True, help="Show buttons that suspend, resume, retry and retrain jobs."
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="Port; 0 for a free one."
)
@click.option("--open", "opens_browser", is_flag=True, help="Open the pages in the browser.")
def ui(  # noqa: PLR0913 - its options
    folders: tuple[Path, ...],
    *,
    cluster: bool,
    namespace: str | None,
    all_namespaces: bool,
    context: str | None,
    local: bool,
    state_dir: Path,
    endpoint: str | None,
    allow_changes: bool,
    port: int,
    opens_browser: bool,
) -> None:
    """Show jobs, runs and documents as web pages, on this machine only.

    FOLDERS are searched for trainings of `finscribe train` and reports of `finscribe data validate`.
    Without FOLDERS and --local, the jobs of a cluster are shown, with the rights of your kubeconfig.
    The address that is printed has a secret: who has it can see the pages. Ctrl+C ends the server.

    \b
    Exit codes:  0 ended by Ctrl+C   78 user error (cluster, rights, port)   75 the cluster does not answer

    \b
    Examples:
      finscribe ui finetuned_model
      finscribe ui --local
      finscribe ui --namespace team --allow-changes
    """  # noqa: D301 - click reads \b as "keep these lines"
    try:
        from finscribe_client.ui.app import Pages  # noqa: PLC0415 - `--help` is fast
        from finscribe_client.ui.server import serve  # noqa: PLC0415 - likewise

        places = _on_this_machine(folders, local=local, state_dir=state_dir, endpoint=endpoint)
        if cluster or not places:
            places.append(
                _on_cluster(
                    namespace, context, endpoint, all_namespaces=all_namespaces, may_change=allow_changes
                )
            )
    except ModuleNotFoundError as error:
        raise not_installed("ui", error, "ui") from error
    try:
        serve(Pages(places, folders), port, _announce, opens_browser=opens_browser)
    except OSError as error:
        message = f"Port {port} can't be opened: {error.strerror}."
        raise ClientError(
            ClientReason.WrongState, message, "Pass another --port, or 0 for a free one."
        ) from error


def _on_this_machine(
    folders: tuple[Path, ...], *, local: bool, state_dir: Path, endpoint: str | None
) -> "list[Place]":
    from finscribe_client.ui.job_runs import JobRuns  # noqa: PLC0415 - `--help` is fast
    from finscribe_client.ui.training_folders import TrainingFolders  # noqa: PLC0415 - likewise

    for folder in folders:
        if not folder.is_dir():
            raise ClientError(
                ClientReason.NotFound, f"There is no folder {folder}.", "Name one of `finscribe train`."
            )
    places: list[Place] = [TrainingFolders(folder, number) for number, folder in enumerate(folders, 1)]
    if local:
        from finscribe_client.local_runs import LocalRuns  # noqa: PLC0415 - likewise

        places.append(JobRuns(LocalRuns(state_dir), "local", endpoint))
    return places


def _on_cluster(
    namespace: str | None,
    context: str | None,
    endpoint: str | None,
    *,
    all_namespaces: bool,
    may_change: bool,
) -> "Place":
    from finscribe_client.client import Client  # noqa: PLC0415 - `--help` is fast
    from finscribe_client.ui.job_runs import JobRuns  # noqa: PLC0415 - likewise

    client = Client(namespace, context)
    changer = client if may_change else None
    return JobRuns(client, "cluster", endpoint, all_namespaces=all_namespaces, client=changer)


def _announce(address: str) -> None:
    click.echo(f"Open {address}")
    click.echo("Ctrl+C ends it.", err=True)
