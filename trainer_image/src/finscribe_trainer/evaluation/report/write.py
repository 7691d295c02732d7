"""Writes a comparison's report as Markdown (report.md) and as a self-contained HTML page (report.html)."""

from pathlib import Path

from finscribe_core.atomic_files import write_atomically
from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.evaluation.compare import Comparison
from finscribe_trainer.evaluation.report.findings import Findings
from finscribe_trainer.evaluation.report.html import html
from finscribe_trainer.evaluation.report.markdown import TITLE, markdown
from finscribe_trainer.evaluation.report.pages import Pages
from finscribe_trainer.evaluation.report.training_view import TrainingView
from finscribe_trainer.runtime.files import check_writable


def write_reports(
    comparison: Comparison,
    output: Path,
    pages: Pages | None = None,
    findings: Findings | None = None,
    training: TrainingView | None = None,
) -> tuple[Path, Path]:
    """Write the report as Markdown to `output`, and as a self-contained HTML page beside it.

    An existing report is replaced; each file is written atomically.

    Args:
        comparison: the comparison to report.
        output: a path that ends in .md; its folder is created if missing.
        pages: see `html`.
        findings: what the run has found besides; None outside a run.
        training: the training of the tuned model, for the HTML page; None when it is not known.

    Returns:
        the paths of report.md and report.html.

    Raises:
        UserError: see `check_output`.
    """
    page = check_output(output)
    texts = {
        output: markdown(comparison, findings),
        page: html(comparison, pages, findings, training),
    }
    for path, text in texts.items():
        # A model's JSON may contain an escaped lone surrogate, which can't be encoded in UTF-8.
        write_atomically(path, text.encode(errors="replace"))
    return output, page


def check_output(output: Path) -> Path:
    """Check that the report can be written; returns the path of the HTML page beside `output`.

    Raises:
        UserError: InvalidConfig when `output` does not end in .md or can't be written, or when one of the
            files exists and is not a report.
    """
    if output.suffix != ".md":
        raise UserError(
            FailureReason.InvalidConfig,
            f"--output {output} does not end in .md.",
            "Pass the path of the Markdown report; the HTML page is written beside it.",
        )
    check_writable(output)
    page = output.with_suffix(".html")
    for path in (output, page):
        if path.exists() and not (path.is_file() and _is_report(path)):
            raise UserError(
                FailureReason.InvalidConfig,
                f"{path} exists and is not a report of `finscribe compare`.",
                "Pass another --output, or move the file.",
            )
    return page


def _is_report(path: Path) -> bool:
    with path.open("rb") as file:
        return TITLE.encode() in file.read(1000)
