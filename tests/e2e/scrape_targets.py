"""Serves Prometheus' HTTP service discovery for the pods that the chart's PodMonitors select."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tools.kube.cluster import Cluster

MONITORS = {
    "/operator": ("app.kubernetes.io/name=finscribe", "metrics"),
    "/runs": ("app.kubernetes.io/managed-by=finscribe-operator,app.kubernetes.io/component=trainer", "http"),
}


def find_targets(cluster: Cluster, monitor: str) -> list[dict[str, Any]]:
    """Targets of one of `MONITORS` in the format of Prometheus' HTTP service discovery."""
    selector, port_name = MONITORS[monitor]
    targets = []
    found = cluster.kubectl("get", "pods", "--all-namespaces", f"--selector={selector}", "--output=json")
    for pod in json.loads(found)["items"]:
        ports = [p for c in pod["spec"]["containers"] for p in c.get("ports", [])]
        labels = {"namespace": pod["metadata"]["namespace"], "pod": pod["metadata"]["name"]}
        if pod["status"]["phase"] == "Running" and "podIP" in pod["status"]:
            address = pod["status"]["podIP"]
            found_ports = [f"{address}:{p['containerPort']}" for p in ports if p.get("name") == port_name]
            targets.append({"targets": found_ports, "labels": labels})
    return targets


@contextmanager
def serving_targets(cluster: Cluster) -> Iterator[str]:
    """Serve the targets on this machine; yields the URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(find_targets(cluster, self.path)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.1,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
