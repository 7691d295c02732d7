"""`python -m tools.kube`: programs, cluster and images from the command line."""

import sys

import click

from tools.kube.binaries import provide
from tools.kube.catalogue import CLUSTER, TOOLS
from tools.kube.cluster import local_cluster
from tools.kube.images import TARGETS
from tools.kube.progress import ToolError, say


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """A real Kubernetes on this machine, built from source."""


@main.command()
@click.argument("names", nargs=-1, type=click.Choice(sorted(TOOLS)))
def binaries(names: tuple[str, ...]) -> None:
    """Build what is missing (all, or NAMES) and print the paths."""
    for name, path in provide(names or CLUSTER).items():
        click.echo(f"{name}\t{path}")


@main.command()
def up() -> None:
    """Start the cluster, or what of it does not run."""
    cluster = local_cluster()
    cluster.up()
    click.echo(f"export KUBECONFIG={cluster.kubeconfig}")


@main.command()
def down() -> None:
    """End the cluster and wipe its state; images and programs stay in the cache."""
    local_cluster().down()


@main.command()
def status() -> None:
    """Say which parts run."""
    for name, pid in local_cluster().status().items():
        click.echo(f"{name:24} {'down' if pid is None else f'pid {pid}'}")


@main.command()
@click.argument("part")
def restart(part: str) -> None:
    """End PART and start it again."""
    local_cluster().restart(part)


@main.command()
@click.argument("targets", nargs=-1, type=click.Choice(TARGETS))
def images(targets: tuple[str, ...]) -> None:
    """Build the images (both, or TARGETS), and load them into the cluster when it is up."""
    cluster = local_cluster()
    for target in targets or TARGETS:
        cluster.provide_image(target)


if __name__ == "__main__":
    try:
        main()
    except ToolError as error:
        say(f"error: {error}")
        sys.exit(1)
