"""Runs Kueue's scheduler, controllers and webhooks for Jobs on this machine, with an API server of the tests.

CRDs and webhooks are those of its Go module; the API server reaches the webhooks by URL. The CRDs get no
conversion between versions, as nothing uses another than the stored one.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tools.kube.apiserver import ApiServer
from tools.kube.binaries import provide
from tools.kube.catalogue import TOOLS
from tools.kube.certificates import Certificates
from tools.kube.control_plane import is_healthy
from tools.kube.golang import find_go, find_module
from tools.kube.process import Part, free_ports
from tools.kube.webhooks import build_webhooks

GROUPS = {"batch", "kueue.x-k8s.io"}
"""API groups whose webhooks are installed: those of the other frameworks need their CRDs."""


def find_crds(plural: str = "*") -> list[Path]:
    """The files of Kueue's CRDs, all by default."""
    return sorted((_manifests() / "crd" / "bases").glob(f"kueue.x-k8s.io_{plural}.yaml"))


@contextmanager
def running_kueue(server: ApiServer) -> Iterator[None]:
    """Install Kueue's webhooks on a server that has `find_crds`, and run it until the body ends."""
    program = provide(["kueue"])["kueue"]
    webhook_port, health_port = free_ports(2)
    certificates = Certificates(server.ca.parent)
    certificates.issue_server("tls", "/CN=kueue", "IP:127.0.0.1")
    config = server.folder / "kueue.yaml"
    config.write_text(yaml.safe_dump(_build_config(webhook_port, health_port, certificates.folder)))
    part = Part(
        "kueue",
        [str(program), f"--config={config}"],
        is_healthy(f"http://127.0.0.1:{health_port}/readyz"),
        {"KUBECONFIG": str(server.kubeconfig)},
    )
    try:
        server.processes.start(part)
        manifests = (_manifests() / "webhook" / "manifests.yaml").read_text()
        for manifest in build_webhooks("kueue", manifests, webhook_port, server.ca.read_bytes(), GROUPS):
            server.kubectl("apply", "--server-side", "--filename=-", stdin=json.dumps(manifest))
        yield
    finally:
        server.processes.stop("kueue")


def _build_config(webhook_port: int, health_port: int, certificates: Path) -> dict[str, Any]:
    return {
        "apiVersion": "config.kueue.x-k8s.io/v1beta2",
        "kind": "Configuration",
        "health": {"healthProbeBindAddress": f"127.0.0.1:{health_port}"},
        "metrics": {"bindAddress": "0"},
        "webhook": {"host": "127.0.0.1", "port": webhook_port, "certDir": str(certificates)},
        "leaderElection": {"leaderElect": False},
        "integrations": {"frameworks": ["batch/job"]},
        "internalCertManagement": {"enable": False},
    }


def _manifests() -> Path:
    tool = TOOLS["kueue"]
    return find_module(find_go(), tool.module, tool.version) / "config" / "components"
