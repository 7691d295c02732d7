"""The curve of a pretraining: two CSV files and a plot."""

import csv
import io
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from finscribe_core.atomic_files import write_atomically
from finscribe_trainer.runtime.plot_style import STYLE
from tools.tiny_model.checkpoint import Progress


def write_curve(folder: Path, progress: Progress) -> None:
    """Write curve.csv (loss), errors.csv (held-out error rates) and curve.png."""
    write_atomically(folder / "curve.csv", _csv(progress.curve))
    write_atomically(folder / "errors.csv", _csv(progress.errors))
    write_atomically(folder / "curve.png", _plot(progress))


def _csv(rows: list[dict[str, Any]]) -> bytes:
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return text.getvalue().encode()


def _plot(progress: Progress) -> bytes:
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 4.5), dpi=150, layout="constrained")
        loss, error = figure.subplots(1, 2)
        pages = [row["pages"] for row in progress.curve]
        for name in ("answer", "characters", "next"):
            loss.plot(pages, [row[name] for row in progress.curve], label=name)
        loss.set_yscale("log")
        loss.set_xlabel("pages")
        loss.set_ylabel("training loss")
        for size in dict.fromkeys(row["size"] for row in progress.errors):
            rows = [row for row in progress.errors if row["size"] == size]
            error.plot(
                [row["pages"] for row in rows], [100 * row["transcription"] for row in rows], "o-", label=size
            )
        error.set_xlabel("pages")
        error.set_ylabel("held-out character error rate, %")
        error.set_ylim(0, 100)
        for axes in (loss, error):
            if axes.lines:
                axes.legend(frameon=False)
        file = io.BytesIO()
        figure.savefig(file, format="png")
    return file.getvalue()
