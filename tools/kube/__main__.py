"""Command line for the local cluster, its programs and its images: `python -m tools.kube`."""

import sys

import click

from tools.kube.binaries import locate
from tools.kube.catalogue import CLUSTER, TOOLS
from tools.kube.cluster import local_cluster
from tools.kube.images import TARGETS, UI
from tools.kube.progress import ToolError, say


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """A real Kubernetes on this machine, for tests."""


@main.command()
@click.argument("names", nargs=-1, type=click.Choice(sorted(TOOLS)))
def binaries(names: tuple[str, ...]) -> None:
    """Find or build the programs (all, or NAMES); print name, path and where each comes from.

    Looks in the folder KUBEBUILDER_ASSETS, on the PATH and in the cache, and builds from source what is in
    none of them. A program of another minor version than the tests use is skipped.
    """
    for name in names or CLUSTER:
        program = locate(name)
        click.echo(f"{name}\t{program.path}\t{program.source}")


@main.command()
def up() -> None:
    """Start the cluster, or those of its parts that do not run."""
    cluster = local_cluster()
    cluster.up()
    click.echo(f"export KUBECONFIG={cluster.kubeconfig}")


@main.command()
def down() -> None:
    """Stop the cluster and delete its state; images and programs stay in the cache."""
    local_cluster().down()


@main.command()
def status() -> None:
    """Print which parts run."""
    for name, pid in local_cluster().status().items():
        click.echo(f"{name:24} {'down' if pid is None else f'pid {pid}'}")


@main.command()
@click.argument("part")
def restart(part: str) -> None:
    """Restart PART."""
    local_cluster().restart(part)


@main.command()
@click.argument("targets", nargs=-1, type=click.Choice((*TARGETS, UI)))
def images(targets: tuple[str, ...]) -> None:
    """Build the images (operator and trainer, or TARGETS), and load them into the cluster when it is up."""
    cluster = local_cluster()
    for target in targets or TARGETS:
        cluster.provide_image(target)


if __name__ == "__main__":
    try:
        main()
    except ToolError as error:
        say(f"error: {error}")
        sys.exit(1)
