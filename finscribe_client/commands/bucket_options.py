"""Options of commands that read the bucket of the results."""

import click

ENDPOINT_HELP = "URL of the object storage, if it has another one here than in the cluster."
endpoint_option = click.option("--endpoint", metavar="URL", help=ENDPOINT_HELP)
