"""Command line: `python -m tools.tiny_model`."""

import time
from pathlib import Path

import click
import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from finscribe_core.constants import BUILT_IN_MODEL
from tools.tiny_model.export import export, ship
from tools.tiny_model.train import Training


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("tiny-model"),
    help="Checkpoint and curve; a training in it is continued. The model is written to its folder `export`.",
)
@click.option("--seed", default=0, help="Of weights and pages, for a new training.")
@click.option("--minutes", default=40.0, help="Stop after so many minutes.")
@click.option("--pages", type=int, help="Stop after so many pages of this run.")
@click.option("--threads", default=2, help="Threads of PyTorch; the same number gives the same bits.")
@click.option(
    "--dtype",
    type=click.Choice(["bfloat16", "float32"]),
    default="bfloat16",
    help="Of products. float32 is faster on a CPU with slow instructions for bfloat16, or none.",
)
@click.option("--test-pages", default=64, help="Pages of each size for the error rates of the model card.")
@click.option("--ship", "shipped", is_flag=True, help=f"Replace {BUILT_IN_MODEL} in the trainer's package.")
def main(  # noqa: PLR0913, PLR0917 - one for each option
    folder: Path,
    seed: int,
    minutes: float,
    pages: int | None,
    threads: int,
    dtype: str,
    test_pages: int,
    *,
    shipped: bool,
) -> None:
    """Pretrain a PaddleOCR-VL of 4 million parameters on generated pages, and export it.

    Run it again to go on. A training that was stopped (Ctrl+C loses at most two minutes) and continued gives
    the same weights as one without a stop, on the same machine with the same number of threads.
    """
    torch.set_num_threads(threads)
    training = Training(folder, seed, dtype=getattr(torch, dtype))
    end, first = time.monotonic() + 60 * minutes, training.progress.pages

    def stop() -> bool:
        enough = pages is not None and training.progress.pages - first >= pages
        return enough or time.monotonic() > end

    with _bar() as bar:
        task = bar.add_task("", total=training.steps, completed=training.progress.total, loss="")

        def show(_: Training) -> None:
            progress = training.progress
            loss = f"loss {progress.curve[-1]['answer']:.3f}" if progress.curve else ""
            bar.update(task, completed=progress.total, description=training.stage_name, loss=loss)

        training.run(stop, show)
    for row in export(training, folder / "export", test_pages):
        click.echo(
            f"{row.size}: OCR {row.rates.transcription:.2%}, After {row.rates.lookup:.2%} characters wrong"
        )
    click.echo(f"{'Complete' if training.finished else 'Not complete: run it again'}. {folder / 'export'}")
    if shipped and not training.finished:
        raise click.ClickException("Only a complete model is shipped.")
    if shipped:
        ship(folder / "export")
        click.echo(f"Replaced {BUILT_IN_MODEL} in the trainer's package.")


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[loss]}"),
    )


if __name__ == "__main__":
    main()
