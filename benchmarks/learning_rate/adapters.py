"""Records range tests of the model that ships, for adapters of two kinds and three ranks.

`python -m benchmarks.learning_rate.adapters` writes adapters.json, on which a unit test checks the rates that
`learning_rate: auto` chooses. It takes some minutes.
"""

import json
import logging
import tempfile
from itertools import product
from pathlib import Path

from benchmarks.ablations.cells import RANKS, TARGETS, Cell, learning_rate
from benchmarks.ablations.inputs import prepare
from benchmarks.ablations.measure import config
from finscribe_core.constants import BUILT_IN_MODEL
from finscribe_core.trainer_config import AUTO, TrainerConfig
from finscribe_trainer.runtime.stop_signal import StopSignal
from finscribe_trainer.training.range_test.choose import SCHEDULE
from finscribe_trainer.tuning.lr_finder.range_test import run_range_test

RECORDED = Path(__file__).with_name("adapters.json")


def main() -> None:
    """Run the six tests with the documents of the ablations, and write their losses."""
    logging.disable(logging.WARNING)
    losses = {}
    with tempfile.TemporaryDirectory(prefix="finscribe-bench-") as name:
        folder = Path(name)
        prepare(folder, BUILT_IN_MODEL)
        for targets, rank in product(TARGETS, RANKS):
            cell = Cell(learning_rate(targets, rank, AUTO), seed=0)
            settings = TrainerConfig.model_validate(config(cell, folder, folder, BUILT_IN_MODEL))
            curve = run_range_test(settings, SCHEDULE, StopSignal())
            losses[f"{targets}, rank {rank}"] = [round(loss, 4) for loss in curve.losses]
            print(f"{targets}, rank {rank}: {curve.message}", flush=True)
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(values)}" for name, values in losses.items())
    RECORDED.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
