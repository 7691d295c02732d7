"""Loads model and rows for a learning rate range test, whose adapter is discarded."""

import sys
from pathlib import Path

from finscribe_core.trainer_config import TrainerConfig
from finscribe_trainer.model.adapter_fit import check_adapter_fits
from finscribe_trainer.model.initial_adapter import fetch_initial_adapter
from finscribe_trainer.model.loading import load_adapted_model
from finscribe_trainer.pipeline.inputs import fetch_model, load_splits, open_storage
from finscribe_trainer.pipeline.rows_of_model import load_family_and_rows
from finscribe_trainer.reporting import RunReporter
from finscribe_trainer.runtime.stop_signal import StopSignal
from finscribe_trainer.training.accumulation import with_known_accumulation
from finscribe_trainer.training.range_test.curve import Curve
from finscribe_trainer.training.range_test.run import ExponentialSchedule, range_test
from finscribe_trainer.training.run import Run


def run_range_test(config: TrainerConfig, schedule: ExponentialSchedule, stop: StopSignal) -> Curve:
    """Train as the config says while the learning rate rises; a stop ends the test early.

    Downloads from s3:// stay below `output_dir`/inputs, where a training finds them.

    Raises:
        FinscribeError: a user error or a transient error.
        StopRequested: a stop was requested before the first step.
    """
    storage = open_storage(config, stop.cancel_transfers)
    inputs = Path(config.output_dir) / "inputs"
    splits = load_splits(config, inputs, storage)
    source = fetch_model(config, inputs / "model", storage)
    adapter = fetch_initial_adapter(config, inputs / "adapter", storage)
    if adapter is not None:
        check_adapter_fits(adapter.folder, adapter.location, config, source)
    family, splits = load_family_and_rows(config, source, splits)
    model = load_adapted_model(config, source, family, adapter.folder if adapter else None)
    config = with_known_accumulation(config)
    run = Run(config, "", None, RunReporter(run="", job=""), stop, show_bar=sys.stderr.isatty())
    return range_test(run, model, family, splits, schedule)
