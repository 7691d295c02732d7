"""Trusts the certificates of private authorities, in addition to the public ones."""

import atexit
import os
import ssl
import tempfile
from pathlib import Path

import certifi

from finscribe_core.constants import CA_VARIABLES, ENV_CA_BUNDLE
from finscribe_core.errors import FailureReason, UserError

HOW_TO_TRUST = (
    "If a private authority has issued it, set storage.caBundle to its certificate; without a cluster, set "
    f"{ENV_CA_BUNDLE} to a file with it. Otherwise check the host's name and this machine's clock."
)
"""The remedy for a certificate that is not trusted."""


def trust_private_authorities() -> None:
    """Let all libraries trust the certificates in the file that FINSCRIBE_CA_BUNDLE names.

    A library's own variable replaces the authorities that it trusts. The file that this writes, and all those
    variables name, therefore has the public ones, too: those of SSL_CERT_FILE if it is set. A second call
    does nothing.

    Raises:
        UserError: InvalidConfig: the file can't be read, or has no certificates.
    """
    path = os.environ.pop(ENV_CA_BUNDLE, "")  # child processes inherit the variables that are set below
    if not path:
        return
    private = _read_certificates(path)
    public = Path(os.environ.get("SSL_CERT_FILE") or certifi.where()).read_text(encoding="utf-8")
    descriptor, name = tempfile.mkstemp(prefix="finscribe-ca-", suffix=".pem")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(f"{public.rstrip()}\n{private}")
    os.environ.update(dict.fromkeys(CA_VARIABLES, name))
    atexit.register(Path(name).unlink, missing_ok=True)


def _read_certificates(path: str) -> str:
    try:
        text = Path(path).read_text(encoding="utf-8")
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
    except (OSError, ValueError) as error:
        raise UserError(
            FailureReason.InvalidConfig,
            f"The certificates of {ENV_CA_BUNDLE}, {path}, can't be read: {error}.",
            "storage.caBundle must name a ConfigMap and a key with certificates in PEM format.",
        ) from error
    return text


def is_untrusted(error: BaseException) -> bool:
    """Whether the error says that a server's certificate is not trusted."""
    return "certificate verify failed" in str(error).lower()
