"""Runs an API server for tests: etcd, kube-apiserver and kube-controller-manager in a temporary folder.

There is no node, so no pod ever runs: tests set the status of pods themselves, as a kubelet would. With
`with_nodes` the scheduler and the controllers of nodes run, too, for nodes that tests create.
"""

import json
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.kube.binaries import provide
from tools.kube.catalogue import CONTROL_PLANE
from tools.kube.certificates import Certificates, write_kubeconfig
from tools.kube.control_plane import ControlPlane
from tools.kube.kubectl import kubectl, try_kubectl
from tools.kube.process import Part, Processes, free_ports
from tools.kube.progress import say

CONTROLLERS = (
    "job-controller,garbage-collector-controller,namespace-controller,serviceaccount-controller,"
    "ttl-after-finished-controller,clusterrole-aggregation-controller"
)
NODE_CONTROLLERS = "node-lifecycle-controller,taint-eviction-controller,pod-garbage-collector-controller"
SILENT_NODE_SECONDS = 8
"""After which a node that says nothing counts as not ready; 40 by default."""


@dataclass(frozen=True)
class ApiServer:
    """A running API server."""

    url: str
    ca: Path
    kubeconfig: Path
    """With an administrator's credentials."""
    folder: Path
    """Temporary folder with the logs."""
    etcd_data: Path
    """Data folder of etcd; copy it only while etcd is stopped."""
    audit_log: Path
    """One JSON object per line, for each request that the audit policy names; absent without a policy."""
    parts: dict[str, Part]
    """etcd, kube-apiserver and kube-controller-manager, by name, in the order in which they start."""
    processes: Processes

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        """Run kubectl as administrator and return what it printed.

        Raises:
            ToolError: It failed; the message is what it printed.
        """
        return kubectl(self.kubeconfig, *arguments, stdin=stdin)

    def try_kubectl(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run kubectl as administrator; the caller checks the exit code."""
        return try_kubectl(self.kubeconfig, *arguments, stdin=stdin)

    def install_crd(self, path: Path) -> None:
        """Install the custom resource definition of a file and wait until it is served.

        Raises:
            ToolError: The server refused it, or does not serve it.
        """
        self.kubectl("apply", "--server-side", f"--filename={path}")
        wait = ("wait", "--for=condition=Established", f"--filename={path}", "--timeout=20s")
        for _ in range(20):  # kubectl fails at once on a definition that has no conditions yet
            if self.try_kubectl(*wait).returncode == 0:
                return
            time.sleep(0.5)
        self.kubectl(*wait)

    def stop(self, *names: str, sig: signal.Signals = signal.SIGTERM) -> None:
        """Stop parts, all by default; the API server before etcd, because it waits for etcd when it stops."""
        for name in reversed(self.parts):
            if name in (names or self.parts):
                self.processes.stop(name, sig)

    def start(self, *names: str) -> None:
        """Start parts that were stopped, all by default, and wait until they are ready.

        Raises:
            ToolError: A part did not start.
        """
        for name, part in self.parts.items():
            if name in (names or self.parts):
                self.processes.start(part)

    def kubeconfig_of_service_account(self, namespace: str, name: str) -> Path:
        """Write a kubeconfig with a token of a service account and return its path."""
        token = self.kubectl("create", "token", name, f"--namespace={namespace}").strip()
        path = self.folder / f"{namespace}-{name}.kubeconfig"
        return write_kubeconfig(path, self.url, self.ca, {"token": token})


@contextmanager
def running_api_server(
    crds: Sequence[Path] = (),
    keep_logs: Callable[[], bool] = lambda: False,
    audit_policy: dict[str, Any] | None = None,
    *,
    with_nodes: bool = False,
) -> Iterator[ApiServer]:
    """Start an API server, install `crds`, and stop everything afterwards, also after Ctrl+C.

    The logs are kept when the body raises or `keep_logs` returns True; their folder is then printed.

    Raises:
        ToolError: A program could not be built or did not start.
    """
    programs = provide([*CONTROL_PLANE, *(["kube-scheduler"] if with_nodes else [])])
    folder = Path(tempfile.mkdtemp(prefix="finscribe-apiserver-"))
    processes = Processes(folder, die_with_parent=True)
    plane = ControlPlane(programs, Certificates(folder / "pki"), folder / "etcd", "127.0.0.1", *free_ports(4))
    succeeded = False
    try:
        arguments = _write_audit_policy(folder, audit_policy)
        yield _start(plane, processes, crds, arguments, with_nodes=with_nodes)
        succeeded = True
    finally:
        _stop(processes)
        if succeeded and not keep_logs():
            shutil.rmtree(folder)
        else:
            say(f"The API server's logs are in {folder}")


def _write_audit_policy(folder: Path, policy: dict[str, Any] | None) -> list[str]:
    """The API server's arguments for this policy."""
    if policy is None:
        return []
    path = folder / "audit-policy.json"
    path.write_text(json.dumps({"apiVersion": "audit.k8s.io/v1", "kind": "Policy", **policy}))
    # Without a size limit the log is rotated at 100 MB, and its first requests are in another file.
    return [
        f"--audit-policy-file={path}",
        f"--audit-log-path={_audit_log(folder)}",
        "--audit-log-maxsize=100000",
    ]


def _audit_log(folder: Path) -> Path:
    return folder / "audit.log"


def _start(
    plane: ControlPlane,
    processes: Processes,
    crds: Sequence[Path],
    arguments: Sequence[str],
    *,
    with_nodes: bool,
) -> ApiServer:
    plane.issue_certificates("IP:10.96.0.1")
    controllers = [f"--controllers={CONTROLLERS}"]
    if with_nodes:
        controllers = [
            f"--controllers={CONTROLLERS},{NODE_CONTROLLERS}",
            f"--node-monitor-grace-period={SILENT_NODE_SECONDS}s",
            "--node-monitor-period=1s",
        ]
    parts = (
        plane.etcd(),
        plane.apiserver(
            "--endpoint-reconciler-type=none",  # no pod connects to the API server
            "--authorization-mode=RBAC",
            # As on OpenShift: who creates an object that blocks its owner's deletion needs a right for that.
            "--enable-admission-plugins=OwnerReferencesPermissionEnforcement",
            *arguments,
        ),
        plane.controller_manager(*controllers),
        *([plane.scheduler(*free_ports(1))] if with_nodes else []),
    )
    folder = plane.certificates.folder
    server = ApiServer(
        plane.server,
        plane.certificates.ca,
        folder / "admin.kubeconfig",
        processes.folder,
        plane.data,
        _audit_log(processes.folder),
        {part.name: part for part in parts},
        processes,
    )
    server.start("etcd", "kube-apiserver")
    # Before the garbage collector starts, because it looks for new kinds only every 30 seconds.
    for crd in crds:
        server.install_crd(crd)
    server.start(*(part.name for part in parts[2:]))
    return server


def _stop(processes: Processes) -> None:
    """Stop all parts; the API server before etcd, because it waits for etcd when it stops."""
    for name in ("kube-scheduler", "kube-controller-manager", "kube-apiserver", "etcd"):
        processes.stop(name)
