"""What the web view of a cluster asks an API server about tokens, answered from a table."""

from collections.abc import Callable, Iterator
from typing import Any

from finscribe_client.errors import PAGES, translate


class TokenCluster:
    """What an API server says to tokens: each known one is of the user whose name it begins with."""

    def __init__(self) -> None:
        self.withdrawn: set[str] = set()
        self.now = 0.0
        self.objects: dict[str, dict[str, Any]] = {}
        """By path."""

    def connect(self, token: str, on_refused: Callable[[], None]) -> "Connection":
        return Connection(self, token, on_refused)


class Connection:
    namespace = ""

    def __init__(self, cluster: TokenCluster, token: str, on_refused: Callable[[], None]) -> None:
        self._cluster, self._token, self._on_refused = cluster, token, on_refused

    def request(self, method: str, path: str, *_: object, body: dict | None = None) -> dict:
        if self._token in self._cluster.withdrawn or not self._token.endswith(".token"):
            self._on_refused()
            raise translate(401, {}, "", PAGES)
        if path.endswith("/selfsubjectreviews"):
            return {"status": {"userInfo": {"username": self._token.partition(".")[0]}}}
        return self._cluster.objects.get(path, {"status": {"allowed": True}})

    def items(self, path: str, query: dict | None = None) -> Iterator[dict]:
        self.request("GET", path)
        yield from ()
