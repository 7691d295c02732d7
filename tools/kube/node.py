"""Configuration and command lines of the node: containerd, kubelet, kube-proxy, CoreDNS."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tools.kube.certificates import Certificates
from tools.kube.control_plane import is_healthy
from tools.kube.network import DNS_ADDRESS, NODE_ADDRESS, POD_CIDR, cni_config
from tools.kube.process import Part

NODE_NAME = "node1"
PAUSE_IMAGE = "docker.io/finscribe/pause:1"

COREFILE = """
.:53 {{
    bind {address}
    errors
    health 127.0.0.1:8090
    kubernetes cluster.local in-addr.arpa ip6.arpa {{
        kubeconfig {kubeconfig} finscribe
        pods insecure
        ttl 5
    }}
    cache 5 {{
        denial 1000 1
    }}
}}
"""


@dataclass(frozen=True)
class Node:
    """The only node of the cluster."""

    programs: dict[str, Path]
    certificates: Certificates
    folder: Path
    """Configuration and state."""

    @property
    def containerd_socket(self) -> Path:
        """Socket of containerd."""
        return self.folder / "containerd-run" / "containerd.sock"

    def write_configuration(self) -> None:
        """Write the configuration files that changed; kube-proxy exits when its file is written."""
        kubeconfig = self.certificates.folder / "admin.kubeconfig"
        files = {
            "cni/10-finscribe.conflist": cni_config(self.folder),
            "containerd.toml": self._containerd_toml(),
            "kubelet.yaml": yaml.safe_dump(self._kubelet_config()),
            "kube-proxy.yaml": yaml.safe_dump(self._proxy_config()),
            "Corefile": COREFILE.format(address=NODE_ADDRESS, kubeconfig=kubeconfig),
            "resolv.conf": "",
        }
        (self.folder / "cni").mkdir(parents=True, exist_ok=True)
        for path, text in ((self.folder / name, text) for name, text in files.items()):
            if not path.exists() or path.read_text() != text:
                path.write_text(text)

    def containerd(self) -> Part:
        """containerd, the container runtime, of the Debian package."""
        command = ["containerd", f"--config={self.folder / 'containerd.toml'}"]
        return Part("containerd", command, self.containerd_socket.exists)

    def kubelet(self, is_ready: Callable[[], bool]) -> Part:
        """The kubelet; `is_ready` checks whether the node is Ready in the API server."""
        command = [
            str(self.programs["kubelet"]),
            f"--config={self.folder / 'kubelet.yaml'}",
            f"--kubeconfig={self.certificates.folder / 'kubelet.kubeconfig'}",
            f"--hostname-override={NODE_NAME}",
            f"--node-ip={NODE_ADDRESS}",
            f"--root-dir={self.folder / 'kubelet'}",
            f"--cert-dir={self.folder / 'kubelet-pki'}",
        ]
        return Part("kubelet", command, is_ready)

    def kube_proxy(self) -> Part:
        """kube-proxy, which makes service addresses work."""
        command = [str(self.programs["kube-proxy"]), f"--config={self.folder / 'kube-proxy.yaml'}"]
        return Part("kube-proxy", command, is_healthy("http://127.0.0.1:10256/livez"))

    def coredns(self) -> Part:
        """CoreDNS, the cluster's DNS, as a process of this machine behind a Service."""
        command = [str(self.programs["coredns"]), "-conf", str(self.folder / "Corefile")]
        return Part("coredns", command, is_healthy("http://127.0.0.1:8090/health"))

    def _containerd_toml(self) -> str:
        return f"""
version = 2
root = "{self.folder / "containerd"}"
state = "{self.containerd_socket.parent}"
[grpc]
  address = "{self.containerd_socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  # In many containers and VMs the score can't be lowered; runc would then fail to set the kubelet's -998.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{self.folder / "cni"}"
"""

    def _kubelet_config(self) -> dict[str, Any]:
        return {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "containerRuntimeEndpoint": f"unix://{self.containerd_socket}",
            "cgroupDriver": "cgroupfs",
            "failCgroupV1": False,
            "failSwapOn": False,
            "address": NODE_ADDRESS,
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": str(self.certificates.ca)},
            },
            "authorization": {"mode": "Webhook"},
            "tlsCertFile": str(self.certificates.crt("kubelet-server")),
            "tlsPrivateKeyFile": str(self.certificates.key("kubelet-server")),
            "clusterDomain": "cluster.local",
            "clusterDNS": [DNS_ADDRESS],
            "resolvConf": str(self.folder / "resolv.conf"),
            "maxPods": 250,
            "imageMinimumGCAge": "24h",
            "imageGCHighThresholdPercent": 100,
            "imageGCLowThresholdPercent": 99,
            "evictionHard": {
                "memory.available": "200Mi",
                "nodefs.available": "1%",
                "imagefs.available": "1%",
            },
            "nodeStatusUpdateFrequency": "5s",
            "oomScoreAdj": 0,
            # The kubelet does not remove these chains when it exits.
            "makeIPTablesUtilChains": False,
        }

    def _proxy_config(self) -> dict[str, Any]:
        return {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "clientConnection": {"kubeconfig": str(self.certificates.folder / "kube-proxy.kubeconfig")},
            "mode": "nftables",
            "clusterCIDR": POD_CIDR,
            "hostnameOverride": NODE_NAME,
            "bindAddress": "127.0.0.1",
            "healthzBindAddress": "127.0.0.1:10256",
            "metricsBindAddress": "127.0.0.1:10249",
            # kube-proxy's nftables mode serves no node ports on localhost.
            "nodePortAddresses": [f"{NODE_ADDRESS}/32"],
            "conntrack": {"maxPerCore": 0, "min": 0},
        }
