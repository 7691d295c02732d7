"""The option --image-root of the commands that read rows without a config file."""

import click

image_root_option = click.option(
    "--image-root", help="Another folder, or s3:// prefix, that images of the rows may be in."
)
