"""Runs a Kubernetes cluster of one node on this machine: real kubelet and containers, two fake GPUs."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.kube.binaries import provide
from tools.kube.cache import cache_dir
from tools.kube.catalogue import CLUSTER
from tools.kube.certificates import Certificates
from tools.kube.cleanup import ctr, remove_containers, remove_folders, remove_mounts
from tools.kube.control_plane import ControlPlane
from tools.kube.images import Buildah, image_name
from tools.kube.kind import KindCluster, kind_is_available
from tools.kube.kubectl import kubectl
from tools.kube.network import DNS_ADDRESS, NODE_ADDRESS, create_network, remove_network
from tools.kube.node import NODE_NAME, PAUSE_IMAGE, Node
from tools.kube.packages import FOR_CLUSTER, is_root, require
from tools.kube.pause import write_pause_image
from tools.kube.process import Part, Processes
from tools.kube.progress import ToolError, step
from tools.kube.registry import REGISTRY, Registry

FAKE_GPUS = "2"
GPU_RESOURCE = "nvidia.com/gpu"
STOP_ORDER = (
    # The API server before etcd, because it waits for etcd when it stops.
    *(
        "coredns",
        "kube-proxy",
        "kubelet",
        "kube-scheduler",
        "kube-controller-manager",
        "kube-apiserver",
        "etcd",
    ),
    "containerd",
)

DNS_SERVICE = {
    "apiVersion": "v1",
    "kind": "List",
    "items": [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "kube-dns", "namespace": "kube-system"},
            "spec": {
                "clusterIP": DNS_ADDRESS,
                "ports": [
                    {"name": "dns", "port": 53, "protocol": "UDP"},
                    {"name": "dns-tcp", "port": 53, "protocol": "TCP"},
                ],
            },
        },
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": "kube-dns-host",
                "namespace": "kube-system",
                "labels": {"kubernetes.io/service-name": "kube-dns"},
            },
            "addressType": "IPv4",
            "ports": [
                {"name": "dns", "port": 53, "protocol": "UDP"},
                {"name": "dns-tcp", "port": 53, "protocol": "TCP"},
            ],
            "endpoints": [{"addresses": [NODE_ADDRESS], "conditions": {"ready": True}}],
        },
    ],
}


@dataclass(frozen=True)
class Cluster:
    """The cluster, running or not; all its files are below one folder of the user's cache."""

    folder: Path

    @property
    def kubeconfig(self) -> Path:
        """With an administrator's credentials."""
        return self.folder / "pki" / "admin.kubeconfig"

    @property
    def containerd_socket(self) -> Path:
        """Socket of the container runtime."""
        return self.folder / "containerd-run" / "containerd.sock"

    @property
    def processes(self) -> Processes:
        """Its background processes."""
        return Processes(self.folder / "run")

    def up(self) -> None:
        """Start the parts that do not run.

        Raises:
            ToolError: Not root, a package is missing, or a part did not start.
        """
        if not is_root():
            raise ToolError("A node needs root. Run this with sudo, or install kind and Docker instead.")
        require(FOR_CLUSTER)
        programs = provide(CLUSTER)
        plane, node = self._plane(programs), self._node(programs)
        if not self.kubeconfig.exists():
            with step("issuing certificates"):
                self._issue_certificates(plane)
        node.write_configuration()
        with step("creating the network"):
            create_network()
        for name, make_part in self._parts(plane, node).items():
            with step(f"{'starting' if self.processes.pid(name) is None else 'checking'} {name}"):
                self.processes.start(make_part())
        self._load_pause_image(node)
        self.kubectl("apply", "--server-side", "--filename=-", stdin=json.dumps(DNS_SERVICE))
        self._add_fake_gpus()

    def down(self) -> None:
        """Stop everything and delete the state; images, certificates and programs stay."""
        with step("stopping the cluster's programs"):
            for name in STOP_ORDER[:-1]:
                self.processes.stop(name)
            self.processes.stop(REGISTRY)
        with step("removing containers"):
            if self.processes.pid("containerd"):
                remove_containers(self.containerd_socket)
            self.processes.stop("containerd")
            remove_mounts(self.folder)
        with step("removing network and state"):
            remove_network()
            remove_folders(self.folder, ("etcd", "kubelet", "kubelet-pki", "cni-addresses", "containerd-run"))

    def restart(self, name: str) -> None:
        """Restart one part.

        Raises:
            ToolError: There is no such part, or it did not start.
        """
        programs = provide(CLUSTER)
        parts = self._parts(self._plane(programs), self._node(programs))
        if name not in parts:
            raise ToolError(f"There is no part {name}. Parts: {', '.join(parts)}")
        with step(f"restarting {name}"):
            self.processes.stop(name)
            self.processes.start(parts[name]())

    def status(self) -> dict[str, int | None]:
        """The pid of each part; None when it does not run."""
        return {name: self.processes.pid(name) for name in STOP_ORDER}

    @property
    def is_up(self) -> bool:
        """True when every part runs."""
        return None not in self.status().values()

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        """Run kubectl as administrator and return what it printed.

        Raises:
            ToolError: It failed; the message is what it printed.
        """
        return kubectl(self.kubeconfig, *arguments, stdin=stdin)

    @property
    def host_address(self) -> str:
        """This machine's address, as seen from pods."""
        return NODE_ADDRESS

    def provide_image(self, target: str) -> None:
        """Build an image and, when the cluster is up, load it.

        Raises:
            ToolError: The build or the import failed.
        """
        builder = Buildah.in_user_cache()
        builder.build(target)
        if self.is_up:
            # Outside the cluster's folder, so that its layers stay when the cluster is deleted.
            registry = Registry(cache_dir() / "registry")
            self.processes.start(registry.part())
            registry.load(builder.command, image_name(target), self.containerd_socket)

    def _plane(self, programs: dict[str, Path]) -> ControlPlane:
        certificates = Certificates(self.folder / "pki")
        return ControlPlane(
            programs, certificates, self.folder / "etcd", NODE_ADDRESS, 2379, 2380, 6443, 10257
        )

    def _node(self, programs: dict[str, Path]) -> Node:
        return Node(programs, Certificates(self.folder / "pki"), self.folder)

    def _parts(self, plane: ControlPlane, node: Node) -> Mapping[str, Callable[[], Part]]:
        """The parts, in the order in which they are started."""
        return {
            "etcd": plane.etcd,
            "containerd": node.containerd,
            "kube-apiserver": lambda: plane.apiserver(*self._apiserver_arguments(plane.certificates)),
            "kube-controller-manager": lambda: plane.controller_manager(
                "--controllers=*,-node-ipam-controller"
            ),
            "kube-scheduler": lambda: plane.scheduler(10259),
            "kubelet": lambda: node.kubelet(self._node_is_ready),
            "kube-proxy": node.kube_proxy,
            "coredns": node.coredns,
        }

    def _apiserver_arguments(self, certificates: Certificates) -> list[str]:
        return [
            "--authorization-mode=Node,RBAC",
            "--allow-privileged=true",
            f"--kubelet-client-certificate={certificates.crt('apiserver-kubelet-client')}",
            f"--kubelet-client-key={certificates.key('apiserver-kubelet-client')}",
            f"--kubelet-certificate-authority={certificates.ca}",
            "--kubelet-preferred-address-types=InternalIP",
        ]

    def _issue_certificates(self, plane: ControlPlane) -> None:
        names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc"]
        names.append("kubernetes.default.svc.cluster.local")
        plane.issue_certificates("IP:10.96.0.1", *(f"DNS:{name}" for name in names))
        certificates, node = plane.certificates, f"system:node:{NODE_NAME}"
        certificates.issue_client("apiserver-kubelet-client", "apiserver-kubelet-client", "system:masters")
        certificates.issue_client("kubelet", node, "system:nodes")
        certificates.kubeconfig("kubelet", plane.server)
        certificates.issue_server(
            "kubelet-server", f"/O=system:nodes/CN={node}", f"IP:{NODE_ADDRESS}", f"DNS:{NODE_NAME}"
        )

    def _load_pause_image(self, node: Node) -> None:
        if PAUSE_IMAGE not in ctr(node.containerd_socket, "images", "ls", "--quiet"):
            archive = self.folder / "pause.tar"
            write_pause_image(archive)
            ctr(node.containerd_socket, "images", "import", str(archive))

    def _node_is_ready(self) -> bool:
        try:
            node = json.loads(self.kubectl("get", "node", NODE_NAME, "--output=json"))
        except ToolError:
            return False
        conditions = node["status"].get("conditions", [])
        return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)

    def _add_fake_gpus(self) -> None:
        """Add GPUs to the node's capacity; the kubelet keeps resources that it does not manage."""
        gpus = {GPU_RESOURCE: FAKE_GPUS}
        patch = json.dumps({"status": {"capacity": gpus, "allocatable": gpus}})
        self.kubectl("patch", "node", NODE_NAME, "--subresource=status", "--type=merge", f"--patch={patch}")


def local_cluster() -> Cluster | KindCluster:
    """The cluster of this machine: in kind if it is available, otherwise as processes of this machine."""
    folder = cache_dir() / "cluster"
    folder.mkdir(parents=True, exist_ok=True)
    return KindCluster(folder) if kind_is_available() else Cluster(folder)
