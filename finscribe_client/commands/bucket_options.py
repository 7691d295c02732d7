"""Options of commands that read the bucket of the results."""

import click

ENDPOINT_HELP = "URL of the object storage, if it has another one here than in the cluster."
CREDENTIALS_NOTE = "The credentials are yours, from AWS's variables and files; those of the job are not read."
endpoint_option = click.option("--endpoint", metavar="URL", help=ENDPOINT_HELP)
