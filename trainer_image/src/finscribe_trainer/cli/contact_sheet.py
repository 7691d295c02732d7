"""`finscribe data contact-sheet`: draws augmented views of training pages."""

import io
from pathlib import Path
from typing import Any

import click

from finscribe_trainer.cli.config_options import config_options
from finscribe_trainer.cli.help_settings import HELP_SETTINGS
from finscribe_trainer.cli.overwrite_option import overwrite_option
from finscribe_trainer.pipeline.config import load_config

_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}


@click.command(
    name="contact-sheet",
    short_help="Show augmented views of training pages.",
    context_settings=HELP_SETTINGS,
)
@config_options(
    set_help="Change one setting of the config, such as augmentation.rotation_range=[-2,2]. May be repeated."
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="Image to write: .png or .jpg.",
)
@click.option("--rows", type=click.IntRange(1, 100), default=4, show_default=True, help="Pages to show.")
@click.option(
    "--views",
    type=click.IntRange(1, 20),
    default=4,
    show_default=True,
    help="Views of each page: those of the first epochs.",
)
@overwrite_option
def contact_sheet(
    config_file: Path, output: Path, rows: int, views: int, *, overwrite: bool, **overrides: Any
) -> None:
    """Show augmented views of training pages, before training on them.

    Each line of the sheet is a page: the original, then its views in the first epochs. Boxes of the answer
    (bbox) are outlined in red. The strip in a blue frame below each page is an enlarged detail that shows
    blur, noise and JPEG artifacts.

    \b
    Exit codes:  0 done   78 user error: change config or data   75 transient error: run again   70 bug

    \b
    Examples:
      finscribe data contact-sheet --config finetune_config.yaml --output contact-sheet.png
      finscribe data contact-sheet --config finetune_config.yaml --output contact-sheet.jpg --rows 8 --views 3
      finscribe data contact-sheet --config finetune_config.yaml --output worst.png \\
        --set augmentation.perspective_probability=1 --set augmentation.blur_probability=1
    """  # noqa: D301 - click reads \b as "keep these lines"
    if output.suffix.lower() not in _FORMATS:
        raise click.UsageError(f"--output must end in {', '.join(_FORMATS)}.")
    from finscribe_core.atomic_files import write_atomically  # noqa: PLC0415 - likewise
    from finscribe_trainer.data_tools.contact_sheet.contact_sheet import draw_contact_sheet  # noqa: PLC0415 - `--help` is fast
    from finscribe_trainer.runtime.outputs import claim_files  # noqa: PLC0415 - likewise

    config = load_config(config_file, overrides)
    with claim_files(output, overwrite=overwrite):
        sheet = draw_contact_sheet(config, rows, views)
        encoded = io.BytesIO()
        sheet.save(encoded, _FORMATS[output.suffix.lower()], quality=80)
        write_atomically(output, encoded.getvalue())
    click.echo(f"Wrote {output}.")
    if not config.augmentation.enabled:
        click.echo("Training uses these views only if augmentation.enabled is true.")
