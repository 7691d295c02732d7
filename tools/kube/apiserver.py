"""An API server for tests: etcd, kube-apiserver and kube-controller-manager in a temporary folder.

There is no node, so no pod ever runs: a test plays the kubelet and says what pods do.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tools.kube.binaries import provide
from tools.kube.catalogue import CONTROL_PLANE
from tools.kube.certificates import Certificates, write_kubeconfig
from tools.kube.control_plane import ControlPlane
from tools.kube.kubectl import kubectl, try_kubectl
from tools.kube.process import Processes, free_ports
from tools.kube.progress import say

CONTROLLERS = (
    "job-controller,garbage-collector-controller,namespace-controller,serviceaccount-controller,"
    "ttl-after-finished-controller,clusterrole-aggregation-controller"
)


@dataclass(frozen=True)
class ApiServer:
    """A running API server."""

    url: str
    ca: Path
    kubeconfig: Path
    """Of an administrator."""
    folder: Path
    """Temporary; holds the logs."""

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        """Run kubectl as administrator and return what it printed.

        Raises:
            ToolError: it failed; the text is its error message.
        """
        return kubectl(self.kubeconfig, *arguments, stdin=stdin)

    def try_kubectl(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run kubectl as administrator; the caller looks at the exit code."""
        return try_kubectl(self.kubeconfig, *arguments, stdin=stdin)

    def kubeconfig_of_service_account(self, namespace: str, name: str) -> Path:
        """A kubeconfig with a token of a service account."""
        token = self.kubectl("create", "token", name, f"--namespace={namespace}").strip()
        path = self.folder / f"{namespace}-{name}.kubeconfig"
        return write_kubeconfig(path, self.url, self.ca, {"token": token})


@contextmanager
def running_api_server(
    crds: Sequence[Path] = (), keep_logs: Callable[[], bool] = lambda: False
) -> Iterator[ApiServer]:
    """Start an API server, install `crds`, and end everything afterwards, also after Ctrl+C.

    The logs are kept when the body raises or `keep_logs` says so, and their folder is named.

    Raises:
        ToolError: a program can't be built, or a part did not start.
    """
    programs = provide(CONTROL_PLANE)
    folder = Path(tempfile.mkdtemp(prefix="finscribe-apiserver-"))
    processes = Processes(folder, die_with_parent=True)
    plane = ControlPlane(programs, Certificates(folder / "pki"), folder / "etcd", "127.0.0.1", *free_ports(4))
    went_well = False
    try:
        yield _start(plane, processes, crds)
        went_well = True
    finally:
        _stop(processes)
        if went_well and not keep_logs():
            shutil.rmtree(folder)
        else:
            say(f"The API server's logs are in {folder}")


def _start(plane: ControlPlane, processes: Processes, crds: Sequence[Path]) -> ApiServer:
    plane.issue_certificates("IP:10.96.0.1")
    processes.start(plane.etcd())
    processes.start(
        plane.apiserver(
            "--endpoint-reconciler-type=none",  # no pod will ever look for the API server
            "--authorization-mode=RBAC",
        )
    )
    folder = plane.certificates.folder
    server = ApiServer(
        plane.server,
        plane.certificates.ca,
        folder / "admin.kubeconfig",
        processes.folder,
    )
    # Before the garbage collector starts: it looks for new kinds only every half minute.
    for crd in crds:
        server.kubectl("apply", "--server-side", f"--filename={crd}")
        wait = ("wait", "--for=condition=Established", f"--filename={crd}", "--timeout=20s")
        if server.try_kubectl(*wait).returncode:  # kubectl gives up on one that has no conditions yet
            server.kubectl(*wait)
    processes.start(plane.controller_manager(f"--controllers={CONTROLLERS}"))
    return server


def _stop(processes: Processes) -> None:
    """The API server before etcd, which it would wait for."""
    for name in ("kube-controller-manager", "kube-apiserver", "etcd"):
        processes.stop(name)
