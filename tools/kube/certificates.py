"""Issues the certificates of a cluster with the openssl command; one authority signs all of them."""

import base64
import subprocess
from dataclasses import dataclass
from pathlib import Path

import yaml

from tools.kube.progress import ToolError

DAYS = "365"


@dataclass(frozen=True)
class Certificates:
    """A folder of certificates and keys, `<name>.crt` and `<name>.key`, signed by `ca`."""

    folder: Path

    @property
    def ca(self) -> Path:
        """The authority's certificate."""
        return self.crt("ca")

    def crt(self, name: str) -> Path:
        """Path of the certificate `name`."""
        return self.folder / f"{name}.crt"

    def key(self, name: str) -> Path:
        """Path of the private key `name`."""
        return self.folder / f"{name}.key"

    def make_authority(self) -> None:
        """Create the certificate authority and the key that signs service account tokens."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        self._make_key("ca")
        extensions = ("-addext", "keyUsage=critical,digitalSignature,keyCertSign")
        subject = ("-subj", "/CN=finscribe-ca", "-days", DAYS)
        _openssl("req", "-x509", "-new", "-key", self.key("ca"), *subject, *extensions, "-out", self.ca)
        _openssl("genrsa", "-out", self.key("service-accounts"), "2048")

    def issue_client(self, name: str, user: str, group: str = "") -> None:
        """Issue a client certificate; Kubernetes takes user and group from its subject."""
        subject = f"/O={group}/CN={user}" if group else f"/CN={user}"
        self._issue(name, subject, "extendedKeyUsage=clientAuth\n")

    def issue_server(self, name: str, user: str, *alternatives: str) -> None:
        """Issue a server certificate.

        Args:
            name: Of the files.
            user: Subject, such as `/CN=kube-apiserver`.
            alternatives: Subject alternative names, such as `IP:127.0.0.1` and `DNS:kubernetes`.
        """
        names = ",".join(alternatives)
        self._issue(name, user, f"extendedKeyUsage=serverAuth\nsubjectAltName={names}\n")

    def _issue(self, name: str, subject: str, extensions: str) -> None:
        self._make_key(name)
        request, extension_file = self.folder / f"{name}.csr", self.folder / f"{name}.ext"
        extension_file.write_text(f"keyUsage=digitalSignature\n{extensions}")
        _openssl("req", "-new", "-key", self.key(name), "-subj", subject, "-out", request)
        signer = ("-CA", self.ca, "-CAkey", self.key("ca"), "-CAcreateserial", "-days", DAYS)
        _openssl(
            *("x509", "-req", "-in", request, *signer, "-extfile", extension_file, "-out", self.crt(name))
        )

    def _make_key(self, name: str) -> None:
        _openssl("ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", self.key(name))

    def kubeconfig(self, name: str, server: str) -> Path:
        """Write a kubeconfig for the client `name` and return its path."""
        user = {
            "client-certificate-data": _encoded(self.crt(name)),
            "client-key-data": _encoded(self.key(name)),
        }
        return write_kubeconfig(self.folder / f"{name}.kubeconfig", server, self.ca, user)


def write_kubeconfig(path: Path, server: str, ca: Path, user: dict[str, str]) -> Path:
    """Write a kubeconfig with one cluster, one user and one context, and return its path."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "finscribe",
                "cluster": {"server": server, "certificate-authority-data": _encoded(ca)},
            }
        ],
        "users": [{"name": "user", "user": user}],
        "contexts": [{"name": "finscribe", "context": {"cluster": "finscribe", "user": "user"}}],
        "current-context": "finscribe",
    }
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    path.chmod(0o600)
    return path


def _encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def _openssl(*arguments: str | Path) -> None:
    command = ["openssl", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ToolError(f"`{' '.join(command)}` failed: {done.stderr.strip()}")
