"""Runs the controller and the webhooks of Kubeflow Trainer on this machine, with an API server of the tests.

CRDs and webhooks are those of its Go module, and JobSet's CRD that of the version that it uses. The
controller of JobSets (`tools/kube/jobset.py`) runs in the benchmark only: the tests look at the JobSet.
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
from tools.kube.jobset import find_jobset_crds
from tools.kube.process import Part, free_ports
from tools.kube.webhooks import build_webhooks

CONTROLLER = "trainer-controller-manager"


def find_trainer_crds() -> list[Path]:
    """The files of the CRDs of Kubeflow Trainer and of JobSet."""
    return [*sorted((_manifests() / "crds").glob("trainer.*.yaml")), *find_jobset_crds()]


@contextmanager
def running_kubeflow_trainer(server: ApiServer) -> Iterator[None]:
    """Run the controller on a server that has `find_trainer_crds`, with its webhooks, until the body ends."""
    program = provide([CONTROLLER])[CONTROLLER]
    webhook_port, health_port = free_ports(2)
    # controller-runtime's default folder, as the configuration has no other.
    certificates = Certificates(server.ca.parent)
    certificates.issue_server("tls", "/CN=trainer", "IP:127.0.0.1")
    folder = server.folder / "k8s-webhook-server" / "serving-certs"
    folder.mkdir(parents=True)
    for file in (certificates.crt("tls"), certificates.key("tls")):
        (folder / file.name).symlink_to(file)
    config = server.folder / "trainer.yaml"
    config.write_text(yaml.safe_dump(_build_config(webhook_port, health_port)))
    part = Part(
        CONTROLLER,
        [str(program), f"--config={config}"],
        is_healthy(f"http://127.0.0.1:{health_port}/readyz"),
        {"KUBECONFIG": str(server.kubeconfig), "TMPDIR": str(server.folder)},
    )
    try:
        server.processes.start(part)
        manifests = (_manifests() / "webhook" / "manifests.yaml").read_text()
        for manifest in build_webhooks(CONTROLLER, manifests, webhook_port, server.ca.read_bytes()):
            server.kubectl("apply", "--server-side", "--filename=-", stdin=yaml.safe_dump(manifest))
        yield
    finally:
        server.processes.stop(CONTROLLER)


def _build_config(webhook_port: int, health_port: int) -> dict[str, Any]:
    return {
        "apiVersion": "config.trainer.kubeflow.org/v1alpha1",
        "kind": "Configuration",
        "health": {"healthProbeBindAddress": f"127.0.0.1:{health_port}"},
        "metrics": {"bindAddress": "0", "secureServing": False},
        "webhook": {"host": "127.0.0.1", "port": webhook_port},
        "leaderElection": {"leaderElect": False},
        "certManagement": {"enable": False},
    }


def _manifests() -> Path:
    tool = TOOLS[CONTROLLER]
    return find_module(find_go(), tool.module, tool.version) / "manifests" / "base"
