"""Shards the frozen decoder layers over the processes (training.fsdp) with PyTorch's FSDP2 (`fully_shard`).

Adapter weights are not sharded, so checkpoints, optimizer state and exports are those of any other run. The
vision tower is not sharded either: all processes must take part in gathering a layer, and a process whose
batch has no images, or only cached features, would not.
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
    """Shards the frozen weights of a model's decoder layers over the processes, in place."""

    def __init__(self, model: PeftModel) -> None:
        device = "cuda" if torch.cuda.is_available() else "cpu"
        mesh = init_device_mesh(device, (distributed.get_world_size(),))
        adapter = {weight for weight in model.parameters() if weight.requires_grad}
        self._layers = decoder_layers(model.get_base_model(), "training.fsdp")
        for layer in self._layers:
            # Explicit: by default a root FSDP module, as each layer is, stays gathered after forward.
            fully_shard(layer, mesh=mesh, reshard_after_forward=True, ignored_params=adapter)
        frozen = sum(weight.numel() for weight in model.parameters() if not weight.requires_grad)
        sharded = sum(
            weight.numel() for layer in self._layers for weight in layer.parameters() if weight not in adapter
        )
        log.info(
            "fsdp: %d layers in %d shards, %.0f %% of the frozen weights",
            len(self._layers),
            distributed.get_world_size(),
            100 * sharded / frozen,
        )

    @contextmanager
    def gathered(self) -> Iterator[None]:
        """Within, every process holds the complete layers and can run the model without the others.

        Calling the model's `state_dict` within reshards the layers: FSDP does so itself.
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
