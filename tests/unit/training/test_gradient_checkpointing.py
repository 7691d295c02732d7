from pathlib import Path

import pytest

from finscribe_trainer.model.loading import load_adapted_model
from finscribe_trainer.pipeline.inputs import load_splits
from finscribe_trainer.reporting import RunReporter
from finscribe_trainer.runtime.stop_signal import StopSignal
from finscribe_trainer.storage import Storage
from finscribe_trainer.training.fit import fit
from finscribe_trainer.training.run import Run

pytestmark = pytest.mark.train


@pytest.mark.parametrize(("checkpointing", "times"), [(False, 1), (True, 2)])
def test_checkpointing_recomputes_each_layer_once_in_the_backward_pass(
    checkpointing, times, config, family, source
):
    """The loss curves check that the losses are the same; this checks that activations are recomputed."""
    changes = {"gradient_checkpointing": checkpointing, "max_steps": 1, "gradient_accumulation_steps": 1}
    config = config.model_copy(update={"training": config.training.model_copy(update=changes)})
    reporter = RunReporter(run="", job="")
    run = Run(config, name="", resume=None, reporter=reporter, stop=StopSignal())
    storage = Storage.from_config(config.storage)
    splits = load_splits(config, Path(config.output_dir), storage)
    model = load_adapted_model(config, source, family)
    calls = []
    for layer in model.get_base_model().get_decoder().layers:
        layer.self_attn.register_forward_pre_hook(lambda module, _: calls.append(module.training))

    fit(run, model, family, splits, None, storage)

    assert sum(calls) == times * 2, "layers"
