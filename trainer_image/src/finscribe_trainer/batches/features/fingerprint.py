"""What features depend on, beside the image."""

import hashlib
import json
from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

import torch

_PACKAGES = ("finscribe", "torch", "transformers", "pillow")
"""Another version may compute otherwise."""


def fingerprint(modules: Iterable[torch.nn.Module], settings: dict[str, Any]) -> str:
    """A name for everything that decides what the modules make of an image: half a SHA-256, in hexadecimal.

    The weights are hashed themselves: a revision's name says nothing of a folder. 437 million of them in
    bfloat16 take a second.

    Args:
        modules: vision tower and projector.
        settings: what else matters, such as the processor's config.
    """
    versions = {name: version(name) for name in _PACKAGES}
    digest = hashlib.sha256(json.dumps({**settings, **versions}, sort_keys=True, default=str).encode())
    for module in modules:
        for name, tensor in module.state_dict().items():
            values = tensor.detach().cpu().contiguous()
            digest.update(f"\n{name} {values.dtype} {tuple(values.shape)}\n".encode())
            digest.update(values.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()[:32]
