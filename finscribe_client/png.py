"""Writes the curves of a run as a picture."""

from collections.abc import Sequence
from pathlib import Path

from finscribe_client.errors import ClientError, ClientReason
from finscribe_core.look.colours import LIGHT

_COLOURS = {"training": "train", "validation": "validation"}


def write_plot(path: Path, curves: Sequence[Sequence[tuple[float, float]]], title: str) -> None:
    """Write a PNG file with the training and the validation loss.

    Raises:
        ClientError: NotFound, matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 - slow to import, and optional
    except ModuleNotFoundError as error:
        remedy = "Run: pip install matplotlib. --plot draws in the terminal, without it."
        raise ClientError(ClientReason.NotFound, "matplotlib is not installed.", remedy) from error
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    for label, curve in zip(_COLOURS, curves, strict=True):
        if curve:
            marker = "." if len(curve) < 50 else ""
            axes.plot(*zip(*curve, strict=True), label=label, color=LIGHT[_COLOURS[label]], marker=marker)
    axes.set(title=title, xlabel="step", ylabel="loss")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, format="png", dpi=120)
