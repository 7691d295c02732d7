"""Sends requests to the API server with a user's kubeconfig; the only module here that uses `kubernetes`."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

import urllib3

from finscribe_client.errors import COMMANDS, PAGES, ClientError, ClientReason, Remedies, translate
from finscribe_core.constants import GROUP, PLURAL, VERSION
from finscribe_core.texts import to_one_line

if TYPE_CHECKING:
    from kubernetes.client import Configuration

Object = dict[str, Any]
"""An object of the API, as JSON."""
Query = Mapping[str, str]

MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"
TIMEOUT_SECONDS = (5.0, 30.0)
"""To connect, and between two bytes of a response."""
PAGE_SIZE = 200
_JSON = "application/json"
_NONE: Query = MappingProxyType({})
_SERVICE_ACCOUNT_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


class Api:
    """A connection to an API server.

    Attributes:
        namespace: that of the context, "default" if it has none.
        server: URL of the API server.
    """

    def __init__(
        self,
        configuration: "Configuration",
        namespace: str,
        remedies: Remedies = COMMANDS,
        on_refused: Callable[[], None] = lambda: None,
    ) -> None:
        from kubernetes.client import ApiClient  # noqa: PLC0415 - slow to import

        self.namespace = namespace
        self.server = str(configuration.host)
        self._remedies = remedies
        self._on_refused = on_refused
        configuration.retries = False
        self._client = ApiClient(configuration)
        self._client.user_agent = "finscribe-cli"

    @classmethod
    def connect(cls, context: str | None = None) -> Self:
        """Connect as kubectl does: KUBECONFIG, ~/.kube/config, or within a pod its service account.

        Raises:
            ClientError: NoCluster.
        """
        from kubernetes import config as kube_config  # noqa: PLC0415 - slow to import
        from kubernetes.client import Configuration  # noqa: PLC0415 - likewise

        configuration = Configuration()
        file = os.environ.get("KUBECONFIG") or str(Path("~/.kube/config").expanduser())
        try:
            if context is None and not os.environ.get("KUBECONFIG") and _is_in_cluster():
                kube_config.load_incluster_config(  # type: ignore[no-untyped-call]  # the client is half typed
                    client_configuration=configuration
                )
                return cls(configuration, _SERVICE_ACCOUNT_NAMESPACE.read_text(encoding="utf-8").strip())
            kube_config.load_kube_config(  # type: ignore[no-untyped-call]  # likewise
                file, context, configuration, persist_config=False
            )
            contexts, current = kube_config.list_kube_config_contexts(file)  # type: ignore[no-untyped-call]
        except (kube_config.ConfigException, OSError, ValueError, KeyError, TypeError) as error:
            found = "" if Path(file.split(os.pathsep)[0]).exists() else f"There is no kubeconfig ({file}). "
            why = to_one_line(str(error), 300).rstrip(".")
            message = f"{found}No cluster can be chosen: {why}." if not found else found.strip()
            remedy = "Set KUBECONFIG, or choose a --context: `kubectl config get-contexts` lists them."
            raise ClientError(ClientReason.NoCluster, message, remedy) from error
        chosen = next((c for c in contexts if c["name"] == context), current)
        return cls(configuration, chosen["context"].get("namespace") or "default")

    @classmethod
    def with_token(cls, server: str, ca: Path, token: str, on_refused: Callable[[], None]) -> Self:
        """Connect with a bearer token and nothing else.

        Args:
            server: URL of the API server.
            ca: file of the certificate authority that it must be known to.
            token: the token.
            on_refused: is called when the API server does not accept the token, at any request.
        """
        from kubernetes.client import Configuration  # noqa: PLC0415 - slow to import

        configuration = Configuration()
        configuration.host = server
        configuration.ssl_ca_cert = str(ca)
        configuration.api_key["BearerToken"] = f"Bearer {token}"
        return cls(configuration, "", PAGES, on_refused)

    def request(
        self,
        method: str,
        path: str,
        query: Query = _NONE,
        body: Object | None = None,
        content_type: str = _JSON,
    ) -> Object:
        """The response of a request, as JSON.

        Raises:
            ClientError: there was none, or an error.
        """
        response = self._send(method, path, query, body, content_type)
        try:
            content = json.loads(self._read(response))
        except ValueError as error:
            message = f"{self.server} did not answer as an API server."
            raise ClientError(ClientReason.ClusterUnreachable, message) from error
        assert isinstance(content, dict)
        return content

    def items(self, path: str, query: Query = _NONE) -> Iterator[Object]:
        """The objects of a listing, page by page."""
        token = ""
        while True:
            page = self.request(
                "GET", path, {**query, "limit": str(PAGE_SIZE), **({"continue": token} if token else {})}
            )
            yield from page.get("items") or []
            token = page.get("metadata", {}).get("continue", "")
            if not token:
                return

    def lines(self, path: str, query: Query = _NONE) -> Iterator[str]:
        """The lines of a text response, each as soon as it is there, for ever if the API server streams."""
        response = self._send("GET", path, query, timeout=(TIMEOUT_SECONDS[0], None))
        rest = b""
        try:
            for chunk in response.stream(amt=None, decode_content=True):
                *whole, rest = (rest + chunk).split(b"\n")
                yield from (line.decode(errors="replace") for line in whole)
        except urllib3.exceptions.HTTPError as error:
            raise self._unreachable(error) from error
        finally:
            response.close()
        if rest:
            yield rest.decode(errors="replace")

    def _send(
        self,
        method: str,
        path: str,
        query: Query,
        body: Object | None = None,
        content_type: str = _JSON,
        timeout: tuple[float, float | None] = TIMEOUT_SECONDS,
    ) -> Any:
        """The response, before its body is read.

        Raises:
            ClientError: there was none, or an error.
        """
        verb, url, headers, _, _ = self._client.param_serialize(
            method,
            path,
            query_params=list(query.items()),
            header_params={"Accept": "application/json, */*", "Content-Type": content_type},
            auth_settings=["BearerToken"],
        )
        try:
            sent = self._client.call_api(verb, url, headers, body, _request_timeout=timeout)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise self._unreachable(error) from error
        if sent.status < 300:
            return sent.response
        if sent.status == 401:
            self._on_refused()
        status = _as_status(self._read(sent.response))
        raise translate(sent.status, status, _namespace_of(path), self._remedies)

    def _read(self, response: Any) -> bytes:
        try:
            return bytes(response.data)
        except urllib3.exceptions.HTTPError as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: Exception) -> ClientError:
        why = to_one_line(str(error).rpartition(": ")[2] or type(error).__name__, 300)
        message = f"The cluster's API server {self.server} does not answer: {why}."
        return ClientError(ClientReason.ClusterUnreachable, message, self._remedies.no_answer)


def jobs_path(namespace: str, name: str = "") -> str:
    """Path of a FineTuneJob, of those of a namespace, or of all."""
    return _path(f"/apis/{GROUP}/{VERSION}", namespace, PLURAL, name)


def core_path(namespace: str, plural: str, name: str = "") -> str:
    """Path of objects of the core API, such as pods."""
    return _path("/api/v1", namespace, plural, name)


def batch_path(namespace: str, plural: str) -> str:
    """Path of objects of the batch API."""
    return _path("/apis/batch/v1", namespace, plural, "")


def _path(root: str, namespace: str, plural: str, name: str) -> str:
    scope = f"/namespaces/{namespace}" if namespace else ""
    return f"{root}{scope}/{plural}" + (f"/{name}" if name else "")


def _namespace_of(path: str) -> str:
    parts = path.split("/")
    return parts[parts.index("namespaces") + 1] if "namespaces" in parts else ""


def _as_status(body: bytes) -> Object:
    try:
        content = json.loads(body)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _is_in_cluster() -> bool:
    return "KUBERNETES_SERVICE_HOST" in os.environ and not Path("~/.kube/config").expanduser().exists()
