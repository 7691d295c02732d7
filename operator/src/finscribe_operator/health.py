"""Serves `/healthz`, for the liveness probe, and `/readyz`, for the readiness probe.

`/healthz` fails only when a restart may help. While the API server can't be reached, or refuses everything,
a new process could do no better, and Kubernetes would delay its start more with every restart. It therefore
fails when one of listings and watch streams works, but the other has not worked for long.
"""

import time
from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web

from finscribe_operator.config import OperatorConfig
from finscribe_operator.controller import Controller
from finscribe_operator.watches import Watches


class Health:
    """Decides from watches and listings whether the operator works."""

    def __init__(self, controller: Controller, watches: Watches, config: OperatorConfig) -> None:
        self._controller = controller
        self._watches = watches
        self._namespaces: Sequence[str] = config.namespaces or [""]
        self._limit = config.watch_timeout_seconds
        self._listing_limit = config.watch_timeout_seconds + config.resync_interval_seconds

    def problem(self) -> str:
        """What a restart may repair, as a sentence; empty when nothing is known."""
        now = time.monotonic()
        ages = dict(self._watches.ages())
        for key, age in ages.items():
            since = max(now - age, self._controller.listed_since.get(key.namespace, now))
            if self._controller.listed_at.get(key.namespace, now) - since > self._limit:
                reason = self._watches.problem(key) or "the stream is silent"
                return f"No event of {key} for {age:.0f} s, although listings work: {reason}"
        for namespace in self._namespaces:
            silence = now - self._controller.listed_at.get(namespace, now)
            is_watched = all(age < self._limit for key, age in ages.items() if key.namespace == namespace)
            if silence > self._listing_limit and is_watched:
                where = namespace or "all namespaces"
                return f"No listing of {where} for {silence:.0f} s, although watches work"
        return ""

    async def serve(self, address: str, port: int) -> web.AppRunner:
        """Serve both paths until the returned runner is cleaned up.

        Raises:
            OSError: the address can't be used, such as a port that is taken.
        """
        app = web.Application()
        app.router.add_get("/healthz", _answer(self.problem))
        app.router.add_get("/readyz", _answer(self._not_ready))
        runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=1.0, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, address, port).start()
        return runner

    def _not_ready(self) -> str:
        return "" if self._controller.started.is_set() else "Nothing could be listed yet"


def _answer(problem: Callable[[], str]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(_: web.Request) -> web.Response:
        found = problem()
        return web.Response(status=503 if found else 200, text=f"{found or 'ok'}\n")

    return answer
