"""The files of a service account, as a pod has them, for a process on this machine."""

import os
from pathlib import Path
from uuid import uuid4

from finscribe_operator.service_account import FOLDER
from tools.kube.apiserver import ApiServer

_IN_A_NAMESPACE = """\
mount -t tmpfs tmpfs /var/run/
mkdir -p "$1"
mount --bind "$0" "$1"
shift
exec "$@"
"""


class PodAccount:
    """A folder with `token`, `ca.crt` and `namespace`, which are replaced as a kubelet replaces them.

    Args:
        folder: A new folder.
        server: The API server.
        namespace: Of the service account.
        name: Of the service account.
        authorities: Certificates of the authorities that the process trusts.
    """

    def __init__(self, folder: Path, server: ApiServer, namespace: str, name: str, authorities: str) -> None:
        folder.mkdir()
        self._folder = folder
        self._server = server
        self._namespace = namespace
        self._name = name
        self._bound_to = ""
        self.write("namespace", namespace)
        self.write("ca.crt", authorities)
        self.replace_token()

    def replace_token(self) -> None:
        """Write a new token, and revoke the one before."""
        before, secret = self._bound_to, f"token-{uuid4()}"
        where = f"--namespace={self._namespace}"
        uid = self._server.kubectl(
            "create", "secret", "generic", secret, where, "--output=jsonpath={.metadata.uid}"
        )
        bound = ("--bound-object-kind=Secret", f"--bound-object-name={secret}", f"--bound-object-uid={uid}")
        self.write("token", self._server.kubectl("create", "token", self._name, where, *bound).strip())
        self._bound_to = secret
        if before:
            self._server.kubectl("delete", "secret", before, where)

    def write(self, name: str, text: str) -> None:
        """Replace a file at once."""
        new = self._folder / f".{name}"
        new.write_text(text)
        new.replace(self._folder / name)

    @property
    def wrapper(self) -> list[str]:
        """A command that executes its last arguments in a mount namespace with the files in their place."""
        user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        return ["unshare", "--mount", *user, "sh", "-ec", _IN_A_NAMESPACE, str(self._folder), str(FOLDER)]
