"""Fingerprint of everything that cached features depend on besides the image."""

import hashlib
import json
from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

import torch

_PACKAGES = ("finscribe", "torch", "transformers", "pillow")
"""Packages whose version may change the features."""


def fingerprint(modules: Iterable[torch.nn.Module], settings: dict[str, Any]) -> str:
    """Half of a SHA-256, in hexadecimal, over weights, settings and package versions.

    The weights themselves are hashed, since a local folder has no revision. 437 million parameters in
    bfloat16 take a second.

    Args:
        modules: vision tower and projector.
        settings: everything else that affects the features, such as the processor's config.
    """
    versions = {name: version(name) for name in _PACKAGES}
    digest = hashlib.sha256(json.dumps({**settings, **versions}, sort_keys=True, default=str).encode())
    for module in modules:
        for name, tensor in module.state_dict().items():
            values = tensor.detach().cpu().contiguous()
            digest.update(f"\n{name} {values.dtype} {tuple(values.shape)}\n".encode())
            digest.update(values.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()[:32]
