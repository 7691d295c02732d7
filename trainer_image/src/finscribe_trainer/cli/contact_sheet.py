"""`finscribe data contact-sheet`: what augmentation makes of the training rows."""

import io
from pathlib import Path
from typing import Any

import click

from finscribe_trainer.cli.config_options import config_options
from finscribe_trainer.pipeline.config import load_config

_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}


@click.command(
    name="contact-sheet",
    short_help="Show what augmentation makes of training pages.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@config_options(
    set_help="Change one setting of the config, such as augmentation.rotation_range=[-2,2]. May be repeated."
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="Image to write: .png or .jpg; one that is there is replaced.",
)
@click.option("--rows", type=click.IntRange(1, 100), default=4, show_default=True, help="Pages to show.")
@click.option(
    "--views",
    type=click.IntRange(1, 20),
    default=4,
    show_default=True,
    help="Views of each page: those of the first epochs.",
)
def contact_sheet(config_file: Path, output: Path, rows: int, views: int, **overrides: Any) -> None:
    """Show what augmentation makes of training pages, before hours are spent on them.

    A line of the sheet is a page: as it is, then as the first epochs of a training will show it. Boxes in
    the answer (bbox) are outlined in red. The blue strip below each page is a part of it close up, where
    blur, noise and JPEG can be seen.

    \b
    Exit codes:  0 done   78 the config or the data must be changed   75 try again   70 a defect

    \b
    Examples:
      finscribe data contact-sheet --config finetune_config.yaml --output contact-sheet.png
      finscribe data contact-sheet --config finetune_config.yaml --output contact-sheet.jpg --rows 8 --views 3
      finscribe data contact-sheet --config finetune_config.yaml --output worst.png \\
        --set augmentation.perspective_probability=1 --set augmentation.blur_probability=1
    """  # noqa: D301 - click reads \b as "keep these lines"
    if output.suffix.lower() not in _FORMATS:
        raise click.UsageError(f"--output must end in {', '.join(_FORMATS)}.")
    from finscribe_trainer.data_tools.contact_sheet.contact_sheet import draw_contact_sheet  # noqa: PLC0415 - `--help` is fast
    from finscribe_trainer.runtime.files import check_writable, write_atomically  # noqa: PLC0415 - likewise

    config = load_config(config_file, overrides)
    check_writable(output)
    sheet = draw_contact_sheet(config, rows, views)
    encoded = io.BytesIO()
    sheet.save(encoded, _FORMATS[output.suffix.lower()], quality=80)
    write_atomically(output, encoded.getvalue())
    click.echo(f"Wrote {output}.")
    if not config.augmentation.enabled:
        click.echo("Training shows pages so once augmentation.enabled is true.")
