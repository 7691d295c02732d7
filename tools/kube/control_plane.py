"""Command lines of etcd, the API server, the controller manager and the scheduler."""

import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tools.kube.certificates import Certificates
from tools.kube.process import Part

ISSUER = "https://kubernetes.default.svc.cluster.local"
SERVICE_CIDR = "10.96.0.0/16"
CLIENT_BURST = ("--kube-api-qps=200", "--kube-api-burst=400")


@dataclass(frozen=True)
class ControlPlane:
    """Programs, certificates, addresses and data folder of one control plane."""

    programs: dict[str, Path]
    certificates: Certificates
    data: Path
    """Data folder of etcd."""
    address: str
    """The only address of this machine on which the API server listens."""
    etcd_port: int
    etcd_peer_port: int
    api_port: int
    controllers_port: int

    @property
    def server(self) -> str:
        """URL of the API server."""
        return f"https://{self.address}:{self.api_port}"

    def issue_certificates(self, *alternatives: str) -> None:
        """Issue certificates for all parts; `alternatives` are more names and addresses of the API server."""
        certificates = self.certificates
        certificates.make_authority()
        certificates.issue_server("apiserver", "/CN=kube-apiserver", f"IP:{self.address}", *alternatives)
        certificates.issue_client("admin", "admin", "system:masters")
        for component in ("kube-controller-manager", "kube-scheduler", "kube-proxy"):
            certificates.issue_client(component, f"system:{component}")
            certificates.kubeconfig(component, self.server)
        certificates.kubeconfig("admin", self.server)

    def etcd(self) -> Part:
        """etcd, without fsync: faster, and losing a test cluster in a power failure does no harm."""
        client, peer = (f"http://127.0.0.1:{port}" for port in (self.etcd_port, self.etcd_peer_port))
        command = [
            str(self.programs["etcd"]),
            f"--data-dir={self.data}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",
            "--log-level=warn",
        ]
        return Part("etcd", command, is_healthy(f"{client}/health"))

    def apiserver(self, *arguments: str) -> Part:
        """The API server, with Pod Security admission, which is on by default."""
        c = self.certificates
        command = [
            str(self.programs["kube-apiserver"]),
            f"--etcd-servers=http://127.0.0.1:{self.etcd_port}",
            f"--bind-address={self.address}",
            f"--advertise-address={self.address}",
            f"--secure-port={self.api_port}",
            f"--service-cluster-ip-range={SERVICE_CIDR}",
            f"--tls-cert-file={c.crt('apiserver')}",
            f"--tls-private-key-file={c.key('apiserver')}",
            f"--client-ca-file={c.ca}",
            f"--service-account-issuer={ISSUER}",
            f"--service-account-key-file={c.key('service-accounts')}",
            f"--service-account-signing-key-file={c.key('service-accounts')}",
            "--enable-admission-plugins=NodeRestriction,PodSecurity",
            "--profiling=false",
            *arguments,
        ]
        return Part("kube-apiserver", command, self._api_is_healthy("/readyz"))

    def controller_manager(self, *arguments: str) -> Part:
        """The controller manager: Jobs, garbage collection, namespaces, service accounts and so on."""
        c = self.certificates
        port = self.controllers_port
        command = [
            *self._client_command("kube-controller-manager", port),
            "--use-service-account-credentials=true",
            f"--service-account-private-key-file={c.key('service-accounts')}",
            f"--root-ca-file={c.ca}",
            f"--cluster-signing-cert-file={c.ca}",
            f"--cluster-signing-key-file={c.key('ca')}",
            *arguments,
        ]
        return Part("kube-controller-manager", command, is_healthy(f"https://127.0.0.1:{port}/healthz"))

    def scheduler(self, port: int) -> Part:
        """The scheduler."""
        command = self._client_command("kube-scheduler", port)
        return Part("kube-scheduler", command, is_healthy(f"https://127.0.0.1:{port}/healthz"))

    def _client_command(self, name: str, port: int) -> list[str]:
        kubeconfig = self.certificates.folder / f"{name}.kubeconfig"
        return [
            str(self.programs[name]),
            *(f"--{use}kubeconfig={kubeconfig}" for use in ("", "authentication-", "authorization-")),
            "--bind-address=127.0.0.1",
            f"--secure-port={port}",
            "--leader-elect=false",
            *CLIENT_BURST,
        ]

    def _api_is_healthy(self, path: str) -> Callable[[], bool]:
        def check() -> bool:
            context = ssl.create_default_context(cafile=str(self.certificates.ca))
            context.load_cert_chain(self.certificates.crt("admin"), self.certificates.key("admin"))
            return _get_ok(f"{self.server}{path}", context)

        return check


def is_healthy(url: str) -> Callable[[], bool]:
    """Returns a check that a health URL of this machine responds with 200; certificates are not verified."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return lambda: _get_ok(url, context)


def _get_ok(url: str, context: ssl.SSLContext) -> bool:
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    )
    try:
        with opener.open(url, timeout=2) as response:
            return bool(response.status == 200)
    except (OSError, urllib.error.URLError):
        return False
