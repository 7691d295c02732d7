"""A cluster of one node on this machine: real kubelet, real containers, two pretended GPUs."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.kube.binaries import provide
from tools.kube.cache import cache_dir
from tools.kube.catalogue import CLUSTER
from tools.kube.certificates import Certificates
from tools.kube.control_plane import ControlPlane
from tools.kube.images import Buildah, image_name
from tools.kube.kind import KindCluster, kind_is_usable
from tools.kube.kubectl import kubectl
from tools.kube.leftovers import ctr, remove_containers, remove_mounts, wipe
from tools.kube.network import DNS_ADDRESS, NODE_ADDRESS, make_network, remove_network
from tools.kube.node import NODE_NAME, PAUSE_IMAGE, Node
from tools.kube.packages import FOR_CLUSTER, is_root, require
from tools.kube.pause import write_pause_image
from tools.kube.process import Part, Processes
from tools.kube.progress import ToolError, step
from tools.kube.registry import REGISTRY, Registry

FAKE_GPUS = "2"
GPU_RESOURCE = "nvidia.com/gpu"
STOP_ORDER = (
    # The API server before etcd, which it would wait for.
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
    """The cluster, running or not; all it keeps lies in one folder of the user's cache."""

    folder: Path

    @property
    def kubeconfig(self) -> Path:
        """Of an administrator."""
        return self.folder / "pki" / "admin.kubeconfig"

    @property
    def containerd_socket(self) -> Path:
        """Where the container runtime listens."""
        return self.folder / "containerd-run" / "containerd.sock"

    @property
    def processes(self) -> Processes:
        """Its background programs."""
        return Processes(self.folder / "run")

    def up(self) -> None:
        """Start what does not run.

        Raises:
            ToolError: no permission, a package is missing, or a part did not start.
        """
        if not is_root():
            raise ToolError("A node needs root. Run it with sudo, or install kind and Docker instead.")
        require(FOR_CLUSTER)
        programs = provide(CLUSTER)
        plane, node = self._plane(programs), self._node(programs)
        if not self.kubeconfig.exists():
            with step("making certificates"):
                self._issue_certificates(plane)
        node.write_configuration()
        with step("making the network"):
            make_network()
        for name, make_part in self._parts(plane, node).items():
            with step(f"{'starting' if self.processes.pid(name) is None else 'asking'} {name}"):
                self.processes.start(make_part())
        self._load_pause_image(node)
        self.kubectl("apply", "--server-side", "--filename=-", stdin=json.dumps(DNS_SERVICE))
        self._pretend_gpus()

    def down(self) -> None:
        """End everything and wipe the state; images, certificates and programs stay."""
        with step("ending the cluster's programs"):
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
            wipe(self.folder, ("etcd", "kubelet", "kubelet-pki", "cni-addresses", "containerd-run"))

    def restart(self, name: str) -> None:
        """End one part and start it again.

        Raises:
            ToolError: there is no such part, or it did not start.
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
            ToolError: it failed; the text is its error message.
        """
        return kubectl(self.kubeconfig, *arguments, stdin=stdin)

    @property
    def host_address(self) -> str:
        """This machine's address as pods see it."""
        return NODE_ADDRESS

    def provide_image(self, target: str) -> None:
        """Build an image and, when the cluster is up, load it.

        Raises:
            ToolError: the build or the import failed.
        """
        builder = Buildah.of_this_user()
        builder.build(target)
        if self.is_up:
            # Its layers stay when the cluster is wiped.
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
        """The parts in the order in which they start."""
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

    def _pretend_gpus(self) -> None:
        """Say in the node's status that it has GPUs; the kubelet leaves what it does not know alone."""
        gpus = {GPU_RESOURCE: FAKE_GPUS}
        patch = json.dumps({"status": {"capacity": gpus, "allocatable": gpus}})
        self.kubectl("patch", "node", NODE_NAME, "--subresource=status", "--type=merge", f"--patch={patch}")


def local_cluster() -> Cluster | KindCluster:
    """This machine's cluster: kind's where it can be used, else one of processes."""
    folder = cache_dir() / "cluster"
    folder.mkdir(parents=True, exist_ok=True)
    return KindCluster(folder) if kind_is_usable() else Cluster(folder)
