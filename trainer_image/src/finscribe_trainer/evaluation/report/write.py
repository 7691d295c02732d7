"""Writes a comparison for people: report.md for a terminal or a pull request, report.html for a browser."""

from pathlib import Path

from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.evaluation.compare import Comparison
from finscribe_trainer.evaluation.report.html import html
from finscribe_trainer.evaluation.report.markdown import TITLE, markdown
from finscribe_trainer.runtime.files import check_writable, write_atomically


def write_reports(comparison: Comparison, output: Path) -> tuple[Path, Path]:
    """Write the report as Markdown to `output`, and as a self-contained page beside it.

    An earlier report there is replaced; each file is written whole or not at all.

    Args:
        comparison: what to report.
        output: a path that ends in .md; its folder is made if missing.

    Returns:
        the paths of report.md and report.html.

    Raises:
        UserError: see `check_output`.
    """
    page = check_output(output)
    for path, text in ((output, markdown(comparison)), (page, html(comparison))):
        # A model may write half a surrogate pair as an escape in its JSON; no file can hold that.
        write_atomically(path, text.encode(errors="replace"))
    return output, page


def check_output(output: Path) -> Path:
    """The path of the page beside `output`.

    Raises:
        UserError: InvalidConfig when `output` does not end in .md or can't be written, or a file that is no
            report is in the way.
    """
    if output.suffix != ".md":
        raise UserError(
            FailureReason.InvalidConfig,
            f"--output {output} does not end in .md.",
            "Name the Markdown report; the page is written beside it as .html.",
        )
    check_writable(output)
    page = output.with_suffix(".html")
    for path in (output, page):
        if path.exists() and not (path.is_file() and _is_report(path)):
            raise UserError(
                FailureReason.InvalidConfig,
                f"{path} exists and is not a report of `finscribe compare`.",
                "Name another --output, or move it away.",
            )
    return page


def _is_report(path: Path) -> bool:
    with path.open("rb") as file:
        return TITLE.encode() in file.read(1000)
