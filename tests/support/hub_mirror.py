"""A mirror of the Hugging Face Hub on 127.0.0.1, with the part of its HTTP API that downloads need."""

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HUB_ID = "team/model"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


class HubMirror:
    """Serves one model.

    Attributes:
        requests: `METHOD path` of every request so far.
        token: when set, the model is gated, and requests without it are answered with 401.
        bytes_sent: bytes of files sent so far.
        cut_after: when set, the next response with a file ends after so many bytes.
        branch: the name of the branch that points to the commit.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.requests: list[str] = []
        self.token: str | None = None
        self.bytes_sent = 0
        self.cut_after: int | None = None
        self.branch = "main"
        mirror = self

        class Handler(_Handler):
            hub = mirror

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"

    def files(self) -> dict[str, Path]:
        """Every file by its name in the repository."""
        paths = (path for path in self.folder.rglob("*") if path.is_file())
        return {path.relative_to(self.folder).as_posix(): path for path in sorted(paths)}

    def start(self) -> None:
        """Serve in a thread."""
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: HubMirror

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self) -> None:
        path = self.path.partition("?")[0]
        self.hub.requests.append(f"{self.command} {path}")
        if self.hub.token and self.headers.get("Authorization") != f"Bearer {self.hub.token}":
            self._send(401, b"{}", {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access is restricted."})
        elif match := re.fullmatch(rf"/api/models/{HUB_ID}/(revision|tree)/([^/]+)", path):
            self._answer_api(*match.groups())
        elif match := re.fullmatch(rf"/{HUB_ID}/resolve/([^/]+)/(.+)", path):
            self._answer_file(*match.groups())
        else:
            self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"})

    def _answer_api(self, kind: str, revision: str) -> None:
        if revision not in (self.hub.branch, COMMIT):
            self._send(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
            return
        files = self.hub.files()
        info = {"id": HUB_ID, "sha": COMMIT, "siblings": [{"rfilename": name} for name in files]}
        tree = [
            {"type": "file", "path": name, "size": path.stat().st_size, "oid": _etag(path)}
            for name, path in files.items()
        ]
        self._send(200, json.dumps(info if kind == "revision" else tree).encode())

    def _answer_file(self, revision: str, name: str) -> None:
        if revision not in (self.hub.branch, COMMIT):
            self._send(404, b"", {"X-Error-Code": "RevisionNotFound"})
            return
        path = self.hub.files().get(name)
        headers = {"X-Repo-Commit": COMMIT}
        if path is None:
            self._send(404, b"", {"X-Error-Code": "EntryNotFound", **headers})
            return
        content = path.read_bytes()
        headers |= {"ETag": f'"{_etag(path)}"', "Accept-Ranges": "bytes"}
        if match := _RANGE.fullmatch(self.headers.get("Range", "")):
            first, last = int(match[1]), int(match[2] or len(content) - 1)
            headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
            self._send(206, content[first : last + 1], headers)
        else:
            self._send(200, content, headers)

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if self.hub.cut_after is not None and len(body) > self.hub.cut_after:
            body, self.hub.cut_after = body[: self.hub.cut_after], None
            self.close_connection = True
        self.wfile.write(body)
        self.hub.bytes_sent += len(body)


def _etag(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:40]


@contextmanager
def hub_mirror(folder: Path) -> Iterator[HubMirror]:
    """A running mirror of the model in a folder."""
    mirror = HubMirror(folder)
    mirror.start()
    try:
        yield mirror
    finally:
        mirror.server.shutdown()
        mirror.server.server_close()
