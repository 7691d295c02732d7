"""Compares the suggested learning rate with ten others: `python -m benchmarks.learning_rate` prints a table.

For each model a range test is run, and one training for each rate. All is deterministic on one machine.
"""

import argparse
import json
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.learning_rate.models import MODELS
from benchmarks.learning_rate.training import train
from finscribe_trainer.runtime.progress import progress
from finscribe_trainer.runtime.stop_signal import StopSignal
from finscribe_trainer.training.range_test.run import ExponentialSchedule
from finscribe_trainer.tuning.lr_finder.range_test import run_range_test

RESULTS = Path(__file__).with_name("RESULTS.md")
RECORDED = Path(__file__).with_name("recorded")
"""Curves and losses, on which a unit test checks the suggestion."""
RATES = tuple(10 ** (exponent / 2) for exponent in range(-10, 0))
"""Ten rates, from 1e-5 to 0.32."""


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(
        prog="make bench-learning-rate",
        description="Compare the suggested learning rate with ten others, on three models.",
    )
    parser.add_argument("--only", default="", metavar="TEXT", help="only models with this text in their name")
    parser.add_argument("--write", action="store_true", help="also write RESULTS.md and recorded/")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    chosen = [name for name in MODELS if options.only in name]
    results = {name: _measure(name) for name in chosen}
    table = "\n".join(_table(results))
    print(table)
    if options.write:
        RECORDED.mkdir(exist_ok=True)
        RESULTS.write_text(f"# Results of `make bench-learning-rate`\n\n{table}\n", encoding="utf-8")
        for name, result in results.items():
            file = RECORDED / f"{name.lower().replace(',', '').replace(' ', '-')}.json"
            file.write_text(json.dumps(result) + "\n", encoding="utf-8")


def _measure(name: str) -> dict[str, Any]:
    """Range test and trainings of a model, as JSON values."""
    with tempfile.TemporaryDirectory(prefix="finscribe-bench-") as folder:
        config = MODELS[name](Path(folder))
        curve = run_range_test(config, ExponentialSchedule(1e-7, 1.0, 100), StopSignal())
        assert curve.suggestion is not None, curve.message
        assert curve.steepest is not None
        rates = sorted({*RATES, curve.suggestion, curve.steepest})
        trainings = [(rate, train(config, rate).loss) for rate in progress(rates, name, unit="trainings")]
    return {
        "learning_rates": curve.learning_rates,
        "losses": curve.losses,
        "suggestion": curve.suggestion,
        "steepest": curve.steepest,
        "range": curve.range,
        "trainings": trainings,
    }


def _table(results: dict[str, dict[str, Any]]) -> Iterator[str]:
    yield "| Model | Suggested (range) | Loss there | Best of ten | Loss there | Ratio | Steepest fall |"
    yield "|---|---:|---:|---:|---:|---:|---:|"
    for name, result in results.items():
        losses = dict(result["trainings"])
        best = min(RATES, key=losses.__getitem__)
        suggestion, (low, high) = result["suggestion"], result["range"]
        ratio = losses[suggestion] / losses[best]
        steepest = f"{losses[result['steepest']]:.3f} at {result['steepest']:.2g}"
        yield (
            f"| {name} | {suggestion:.2g} ({low:.2g} to {high:.2g}) | {losses[suggestion]:.3f} "
            f"| {best:.2g} | {losses[best]:.3f} | {ratio:.2f} | {steepest} |"
        )
    yield ""
    yield "Validation loss after the training at each rate:"
    yield ""
    yield f"| Model | {' | '.join(f'{rate:.2g}' for rate in RATES)} |"
    yield f"|---|{'---:|' * len(RATES)}"
    for name, result in results.items():
        losses = dict(result["trainings"])
        yield f"| {name} | {' | '.join(f'{losses[rate]:.3f}' for rate in RATES)} |"


if __name__ == "__main__":
    main()
