"""Points the webhooks of a controller that runs on this machine to its port."""

import base64
from collections.abc import Iterator
from typing import Any

import yaml


def build_webhooks(
    controller: str, manifests: str, port: int, authority: bytes, groups: set[str] | None = None
) -> Iterator[dict[str, Any]]:
    """The webhook configurations of a file, called by URL instead of by Service.

    Args:
        controller: prefix of their names, which kubebuilder makes the same for all controllers.
        manifests: the file's content.
        port: the controller's.
        authority: the certificate of the authority that has signed the controller's.
        groups: API groups; webhooks for others are left out.
    """
    for manifest in yaml.safe_load_all(manifests):
        webhooks = [
            webhook
            for webhook in manifest["webhooks"]
            if groups is None or all(set(rule["apiGroups"]) <= groups for rule in webhook["rules"])
        ]
        for webhook in webhooks:
            path = webhook["clientConfig"]["service"]["path"]
            webhook["clientConfig"] = {
                "url": f"https://127.0.0.1:{port}{path}",
                "caBundle": base64.b64encode(authority).decode(),
            }
        metadata = manifest["metadata"] | {"name": f"{controller}-{manifest['metadata']['name']}"}
        yield manifest | {"metadata": metadata, "webhooks": webhooks}
