"""The option --overwrite of every command that writes."""

import click

overwrite_option = click.option(
    "--overwrite", is_flag=True, help="Replace what is already there, instead of refusing it."
)
