"""`finscribe data`: the group of commands that create, check and prepare rows."""

from importlib import import_module

import click

from finscribe_core.cli import SuggestingGroup, not_installed
from finscribe_trainer.cli.help_settings import HELP_SETTINGS

SUBCOMMANDS = {
    "import": "finscribe_trainer.cli.import_command",
    "validate": "finscribe_trainer.cli.validate",
    "generate": "finscribe_trainer.cli.generate",
    "split": "finscribe_trainer.cli.split",
    "anonymize": "finscribe_trainer.cli.anonymize",
    "corrections": "finscribe_trainer.cli.corrections",
    "contact-sheet": "finscribe_trainer.cli.contact_sheet",
}
"""Each subcommand's module, which contains a command of the module's name."""


class Subcommands(SuggestingGroup):
    """Imports a subcommand only when it is used: one needs Faker, another a tokenizer."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of SUBCOMMANDS."""
        return list(SUBCOMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a subcommand.

        Raises:
            click.ClickException: a required package is not installed.
        """
        if cmd_name not in SUBCOMMANDS:
            return None
        try:
            module = import_module(SUBCOMMANDS[cmd_name])
            command = getattr(module, module.__name__.rpartition(".")[2])
        except ModuleNotFoundError as error:
            raise not_installed(f"data {cmd_name}", error, "trainer") from error
        assert isinstance(command, click.Command)
        return command


@click.group(cls=Subcommands, context_settings=HELP_SETTINGS)
def data() -> None:
    """Create, check and prepare rows of documents."""
