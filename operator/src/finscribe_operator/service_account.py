"""The service account of the operator's pod, whose files are replaced while the operator runs.

The kubelet writes a new token every hour, and a new list of authorities while those of the cluster are
replaced.
"""

import logging
import os
import ssl
from pathlib import Path

logger = logging.getLogger(__name__)

FOLDER = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod has its files."""


def is_used() -> bool:
    """Whether the operator runs in a pod, and no other credentials were chosen."""
    return "KUBERNETES_SERVICE_HOST" in os.environ and not os.environ.get("KUBECONFIG")


def server() -> str:
    """URL of the API server. It is an address, so that no DNS is needed."""
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"


class Authorities:
    """Adds the service account's certificate authorities to a TLS context whenever their file has changed.

    An authority that is no longer in the file stays trusted until the operator starts again.

    Args:
        context: What connections are opened with. Those that are open are not affected.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self._file = FOLDER / "ca.crt" if is_used() else None
        self._loaded = self._version()

    def refresh(self) -> None:
        """Read the file if it has changed."""
        version = self._version()
        if self._file is None or version in (None, self._loaded):
            return
        self._loaded = version
        try:
            self._context.load_verify_locations(self._file)
        except (OSError, ssl.SSLError) as error:
            logger.warning(
                "The new certificate authorities can't be read, the earlier ones stay in use",
                extra={"path": str(self._file), "error": str(error)},
            )
        else:
            logger.info("Trusting new certificate authorities", extra={"path": str(self._file)})

    def _version(self) -> tuple[int, int] | None:
        """What changes when the file does; None without one."""
        if self._file is None:
            return None
        try:
            found = self._file.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns
