"""Options that several commands have: where the jobs are, and how they are printed."""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from finscribe_client.output import FORMATS
from finscribe_core.cli import not_installed

HELP_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
Command = Callable[..., Any]
_NAMESPACE = click.option(
    "-n", "--namespace", metavar="NAME", help="Namespace of the jobs; that of the context by default."
)
_CONTEXT = click.option(
    "--context", metavar="NAME", help="Context of the kubeconfig; the current one by default."
)
_LOCAL = click.option(
    "--local", is_flag=True, help="Jobs of `finscribe run` on this machine, without a cluster."
)
_STATE_DIR = click.option(
    "--state-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=".finscribe",
    show_default=True,
    help="Where `finscribe run` keeps its state, for --local.",
)
dry_run_option = click.option(
    "--dry-run", is_flag=True, help="Ask the cluster whether it would do it; change nothing."
)


def output_option(*formats: str, default: str = "table") -> Callable[[Command], Command]:
    """The option -o, with some of the formats."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(formats or FORMATS),
        default=default,
        show_default=True,
        help="How to print it.",
    )


def on_cluster(command: Command) -> Command:
    """Call the command with a client of the cluster that --namespace and --context choose."""

    @functools.wraps(command)
    def call(*args: Any, namespace: str | None, context: str | None, **options: Any) -> Any:
        with _packages_of_client():
            from finscribe_client.client import Client  # noqa: PLC0415 - `--help` is fast

            return command(Client(namespace, context), *args, **options)

    return _NAMESPACE(_CONTEXT(call))


def on_cluster_or_local(command: Command) -> Command:
    """Call the command with a client of a cluster, or with --local with the runs of this machine."""

    @functools.wraps(command)
    def call(*args: Any, local: bool, state_dir: Path, **options: Any) -> Any:
        if not local:
            return on_cluster(command)(*args, **options)
        from finscribe_client.local_runs import LocalRuns  # noqa: PLC0415 - only for --local

        del options["namespace"], options["context"]
        return command(LocalRuns(state_dir), *args, **options)

    return _NAMESPACE(_CONTEXT(_LOCAL(_STATE_DIR(call))))


@contextmanager
def _packages_of_client() -> Iterator[None]:
    """Name the packages to install if one is missing.

    Raises:
        click.ClickException: one is missing.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise not_installed(str(click.get_current_context().info_name), error, "client") from error


def names_of_jobs(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """The names that a shell completes; none if the cluster can't be asked."""
    from finscribe_client.client import Client  # noqa: PLC0415 - only for completion

    try:
        jobs = Client(ctx.params.get("namespace"), ctx.params.get("context")).list()
    except Exception:
        return []
    return [job.name for job in jobs if job.name.startswith(incomplete)]


job_argument = click.argument("job", shell_complete=names_of_jobs)
