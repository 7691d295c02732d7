from pathlib import Path

import pytest
import torch

from finscribe_trainer.evaluation.loading import load_model
from finscribe_trainer.model.loading import load_adapted_model
from finscribe_trainer.storage import Storage

pytestmark = pytest.mark.train

LOADS = {
    "training": load_adapted_model,
    "evaluation": lambda config, source, family: load_model(
        source.location, None, Path(config.output_dir), Storage.from_config(config.storage)
    ),
}


@pytest.mark.skipif(torch.cuda.is_available(), reason="on a CPU")
@pytest.mark.parametrize("load", LOADS.values(), ids=LOADS)
def test_a_loaded_model_computes_without_denormal_numbers_on_a_cpu(load, config, source, family):
    torch.set_flush_denormal(False)
    smallest = torch.full((64,), torch.finfo(torch.float32).smallest_normal)
    assert (smallest / 2).count_nonzero() == 64

    load(config, source, family)

    assert (smallest / 2).count_nonzero() == 0
