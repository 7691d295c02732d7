"""`python -m tools.kube`: programs, cluster and images from the command line."""

import sys

import click

from tools.kube.binaries import provide
from tools.kube.catalogue import CLUSTER, TOOLS
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


if __name__ == "__main__":
    try:
        main()
    except ToolError as error:
        say(f"error: {error}")
        sys.exit(1)
