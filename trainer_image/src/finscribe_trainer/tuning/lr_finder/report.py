"""What a range test leaves: a plot, and its figures."""

import json
from dataclasses import asdict
from pathlib import Path

from finscribe_trainer.runtime.files import write_atomically
from finscribe_trainer.tuning.lr_finder.curve import Curve
from finscribe_trainer.tuning.lr_finder.plot import draw


def write_curve(curve: Curve, output: Path) -> tuple[Path, Path]:
    """Write the plot, and the figures beside it as .json; gives both paths."""
    figures = output.with_suffix(".json")
    write_atomically(figures, json.dumps(asdict(curve), indent=2).encode() + b"\n")
    write_atomically(output, draw(curve, output.suffix.lower().lstrip(".")))
    return output, figures
