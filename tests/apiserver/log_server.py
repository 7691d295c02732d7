"""Serves the logs of containers to the API server, in place of a kubelet, over HTTPS."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from kubernetes import client

from tools.kube.certificates import Certificates

NODE = "node-with-logs"


class LogServer:
    """The log of each pod, by its name; a test sets them, and ends the followed ones."""

    def __init__(self) -> None:
        self.logs: dict[str, list[str]] = {}
        self.cut_after: dict[str, int] = {}
        """After how many lines the connection of a pod is cut, once."""

    def read(self, path: str) -> bytes | None:
        """The answer to a request for `/containerLogs/<namespace>/<pod>/<container>?...`."""
        parts = urlsplit(path)
        _, kind, _, pod, container = parts.path.split("/")
        if (kind, container) != ("containerLogs", "trainer") or pod not in self.logs:
            return None
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        lines = list(enumerate(self.logs[pod]))[-int(query.get("tailLines", 1000)) :]
        if "timestamps" in query:  # three lines in each second
            lines = [(i, f"2026-03-01T10:00:{i // 3:02}.{i % 3 // 2:09}Z {text}") for i, text in lines]
        since = query.get("sinceTime", "")[:19]
        shown = [text for _, text in lines if text[:19] >= since]
        return "".join(f"{text}\n" for text in shown[: self.cut_after.pop(pod, None)]).encode()


@contextmanager
def serving_logs(core: client.CoreV1Api, folder: Path) -> Iterator[LogServer]:
    """A node whose kubelet serves logs."""
    served = LogServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = served.read(self.path)
            self.send_response(404 if body is None else 200)
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *arguments: object) -> None:
            """Log nothing."""

    certificates = Certificates(folder)
    certificates.make_authority()
    certificates.issue_server("kubelet", "/CN=kubelet", "IP:127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.crt("kubelet"), certificates.key("kubelet"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.1,))
    thread.start()
    core.create_node({"metadata": {"name": NODE}})
    status = {
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": server.server_port}},
    }
    core.patch_node_status(NODE, {"status": status})
    try:
        yield served
    finally:
        core.delete_node(NODE)
        server.shutdown()
        server.server_close()
        thread.join()


def bind(core: client.CoreV1Api, namespace: str, pod: str) -> None:
    """Bind a pod to this node, as the scheduler does."""
    body = {"metadata": {"name": pod}, "target": {"kind": "Node", "name": NODE}}
    core.create_namespaced_pod_binding(pod, namespace, body, _preload_content=False)
