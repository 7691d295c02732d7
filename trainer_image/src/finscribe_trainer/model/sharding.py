"""training.fsdp: each process holds a share of the frozen language model, and gathers a layer to use it.

PyTorch's FSDP2 (`fully_shard`), on the decoder layers' frozen weights alone. The adapter stays whole in each
process: so its checkpoints, its optimizer and its exports are those of any other run. So does the vision
tower: gathering is done by all processes at once, and a batch without images, or with known features, would
leave the others waiting.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from peft import PeftModel
from torch import distributed
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

from finscribe_trainer.model.families.base import decoder_layers

log = logging.getLogger(__name__)


class ShardedLayers:
    """The decoder layers of a model, whose frozen weights are shared out over the processes."""

    def __init__(self, model: PeftModel) -> None:
        device = "cuda" if torch.cuda.is_available() else "cpu"
        mesh = init_device_mesh(device, (distributed.get_world_size(),))
        adapter = {weight for weight in model.parameters() if weight.requires_grad}
        self._layers = decoder_layers(model.get_base_model(), "training.fsdp")
        for layer in self._layers:
            # Said outright: a layer that is part of no larger whole would be kept until the backward pass.
            fully_shard(layer, mesh=mesh, reshard_after_forward=True, ignored_params=adapter)
        frozen = sum(weight.numel() for weight in model.parameters() if not weight.requires_grad)
        sharded = sum(
            weight.numel() for layer in self._layers for weight in layer.parameters() if weight not in adapter
        )
        log.info(
            "fsdp: %d layers in %d shares, %.0f %% of the frozen weights",
            len(self._layers),
            distributed.get_world_size(),
            100 * sharded / frozen,
        )

    @contextmanager
    def gathered(self) -> Iterator[None]:
        """Within, every process holds the layers whole, and needs no other to use the model.

        Whoever asks for the model's `state_dict` has its layers shared out again: FSDP does that by itself.
        """
        for layer in self._layers:
            layer.set_reshard_after_forward(False)
            layer.unshard()
        try:
            yield
        finally:
            for layer in self._layers:
                layer.set_reshard_after_forward(True)
                layer.reshard()
