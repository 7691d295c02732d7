"""`finscribe data`: everything about rows and documents that needs no model."""

from importlib import import_module

import click

from finscribe_core.cli import not_installed

SUBCOMMANDS = {
    "validate": "finscribe_trainer.cli.validate",
    "generate": "finscribe_trainer.cli.generate",
    "split": "finscribe_trainer.cli.split",
    "anonymize": "finscribe_trainer.cli.anonymize",
    "corrections": "finscribe_trainer.cli.corrections",
    "contact-sheet": "finscribe_trainer.cli.contact_sheet",
}
"""Each subcommand's module, which holds a command of that name (with _ for -)."""


class Subcommands(click.Group):
    """Imports a subcommand only when it is asked for: one needs Faker, another a tokenizer."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which data is made, checked and used."""
        return list(SUBCOMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The subcommand, imported now.

        Raises:
            click.ClickException: a package it needs is not installed.
        """
        if cmd_name not in SUBCOMMANDS:
            return None
        try:
            command = getattr(import_module(SUBCOMMANDS[cmd_name]), cmd_name.replace("-", "_"))
        except ModuleNotFoundError as error:
            raise not_installed(f"data {cmd_name}", error, "trainer") from error
        assert isinstance(command, click.Command)
        return command


@click.group(cls=Subcommands, context_settings={"help_option_names": ["-h", "--help"]})
def data() -> None:
    """Make, check and prepare rows of documents."""
