"""Runs the controller and the webhooks of JobSet on this machine, with an API server of the tests.

CRD and webhooks are those of its Go module, in the version that Kubeflow Trainer uses.
"""

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

CONTROLLER = "jobset"


def find_jobset_crds() -> list[Path]:
    """The file of JobSet's CRD."""
    return sorted((_manifests() / "crd" / "bases").glob("*_jobsets.yaml"))


@contextmanager
def running_jobset(server: ApiServer) -> Iterator[None]:
    """Run the controller on a server that has `find_jobset_crds`, with its webhooks, until the body ends."""
    program = provide([CONTROLLER])[CONTROLLER]
    webhook_port, health_port = free_ports(2)
    certificates = Certificates(server.ca.parent)
    certificates.issue_server("jobset", "/CN=jobset", "IP:127.0.0.1")
    folder = server.folder / "jobset"
    folder.mkdir()
    (folder / "tls.crt").symlink_to(certificates.crt("jobset"))
    (folder / "tls.key").symlink_to(certificates.key("jobset"))
    config = server.folder / "jobset.yaml"
    config.write_text(yaml.safe_dump(_build_config(webhook_port, health_port, folder)))
    part = Part(
        CONTROLLER,
        [str(program), f"--config={config}"],
        is_healthy(f"http://127.0.0.1:{health_port}/readyz"),
        {"KUBECONFIG": str(server.kubeconfig)},
    )
    try:
        server.processes.start(part)
        manifests = (_manifests() / "webhook" / "manifests.yaml").read_text()
        for manifest in build_webhooks(CONTROLLER, manifests, webhook_port, server.ca.read_bytes()):
            server.kubectl("apply", "--server-side", "--filename=-", stdin=yaml.safe_dump(manifest))
        yield
    finally:
        server.processes.stop(CONTROLLER)


def _build_config(webhook_port: int, health_port: int, certificates: Path) -> dict[str, Any]:
    return {
        "apiVersion": "config.jobset.x-k8s.io/v1alpha1",
        "kind": "Configuration",
        "health": {"healthProbeBindAddress": f"127.0.0.1:{health_port}"},
        "metrics": {"bindAddress": "0"},
        "webhook": {"host": "127.0.0.1", "port": webhook_port, "certDir": str(certificates)},
        "leaderElection": {"leaderElect": False},
        "internalCertManagement": {"enable": False},
    }


def _manifests() -> Path:
    tool = TOOLS[CONTROLLER]
    return find_module(find_go(), tool.module, tool.version) / "config" / "components"
