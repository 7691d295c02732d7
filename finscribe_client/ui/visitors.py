"""Who has signed in: visitors with a token of the cluster each, in the memory of this process alone."""

import hashlib
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from starlette.types import ASGIApp

from finscribe_client.api import Api
from finscribe_client.client import Client
from finscribe_client.errors import ClientError, ClientReason
from finscribe_client.ui.app import Pages, Visit
from finscribe_client.ui.job_runs import JobRuns
from finscribe_core.constants import GROUP, PLURAL

MAX_VISITORS = 200
MAX_OF_ONE_NAME = 10
"""Sign-ins of one user that are kept, so that nobody signs everybody else out."""
MAX_AGE_SECONDS = 12 * 3600.0
_MAX_NAMESPACES = 8
"""Of which the pages of one visitor are kept."""
_ACCOUNT = "system:serviceaccount:"
_ANONYMOUS = "system:anonymous"

Connect = Callable[[str, Callable[[], None]], Api]
"""A connection with a token; it calls the function when the API server does not accept the token."""


class Visitor:
    """Somebody whose token the API server has accepted. What is read for them is kept for them alone.

    Raises:
        ClientError: AccessDenied, the token is not accepted; or the API server can't be asked.
    """

    def __init__(self, connect: Connect, token: str) -> None:
        self.has_ended = False
        """Whether the API server has refused the token since."""
        self._api = connect(token, self._end)
        self.name = _name_of(self._api)
        self._home = _home_of(self._api, self.name)
        self._pages: OrderedDict[tuple[str, bool, bool], ASGIApp] = OrderedDict()
        self._lock = threading.Lock()

    def pages(self, namespace: str | None, *, may_change: bool, can_sign_out: bool) -> ASGIApp:
        """The pages of the jobs that their token may read.

        Args:
            namespace: whose jobs are listed; empty for all, None for all that are likely.
            may_change: whether there are buttons that change jobs.
            can_sign_out: whether there is one to sign out.
        """
        chosen = self._home if namespace is None else namespace
        key = chosen, may_change, can_sign_out
        with self._lock:
            if key not in self._pages:
                client = Client(chosen, api=self._api)
                jobs = JobRuns(
                    client,
                    "cluster",
                    all_namespaces=not chosen,
                    client=client if may_change else None,
                    reads_bucket=False,
                )
                self._pages[key] = Pages([jobs], visit=Visit(self.name, chosen, can_sign_out)).app()
            self._pages.move_to_end(key)
            while len(self._pages) > _MAX_NAMESPACES:
                self._pages.popitem(last=False)
            return self._pages[key]

    def _end(self) -> None:
        self.has_ended = True


@dataclass(frozen=True)
class _Kept:
    visitor: Visitor
    until: float


class Visitors:
    """The visitors that are signed in, a bounded number of them.

    Args:
        connect: connects with a token.
        clock: seconds.
    """

    def __init__(self, connect: Connect, clock: Callable[[], float] = time.monotonic) -> None:
        self._connect = connect
        self._clock = clock
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        """By a digest, so that no secret is compared or kept as a key; the last one was used last."""
        self._lock = threading.Lock()

    def by_token(self, token: str) -> Visitor:
        """The visitor whose token is in each request.

        Raises:
            ClientError: as of `Visitor`.
        """
        key = _digest("token", token)
        visitor = self._find(key)
        if visitor is None:
            visitor = Visitor(self._connect, token)
            self._keep(key, visitor)
        return visitor

    def sign_in(self, token: str) -> str:
        """Open a session; returns its secret.

        Raises:
            ClientError: as of `Visitor`.
        """
        visitor = Visitor(self._connect, token)
        session = secrets.token_urlsafe(32)
        self._keep(_digest("session", session), visitor)
        return session

    def by_session(self, session: str) -> Visitor | None:
        """The visitor who has opened a session; None after its end."""
        return self._find(_digest("session", session))

    def sign_out(self, session: str) -> None:
        """End a session, and forget its token."""
        with self._lock:
            self._kept.pop(_digest("session", session), None)

    def _find(self, key: str) -> Visitor | None:
        with self._lock:
            self._drop_ended()
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return self._kept[key].visitor

    def _keep(self, key: str, visitor: Visitor) -> None:
        with self._lock:
            self._drop_ended()
            self._kept[key] = _Kept(visitor, self._clock() + MAX_AGE_SECONDS)
            same = [key for key, one in self._kept.items() if one.visitor.name == visitor.name]
            surplus = [*same[:-MAX_OF_ONE_NAME], *list(self._kept)[:-MAX_VISITORS]]
            for old in surplus:
                self._kept.pop(old, None)

    def _drop_ended(self) -> None:
        now = self._clock()
        for key in [key for key, one in self._kept.items() if one.visitor.has_ended or one.until < now]:
            del self._kept[key]


def _name_of(api: Api) -> str:
    """The name of a token's user, which the API server tells everybody about themselves."""
    kind = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    review = api.request("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", body=kind)
    name = str(review.get("status", {}).get("userInfo", {}).get("username", ""))
    if name in ("", _ANONYMOUS):
        raise ClientError(ClientReason.AccessDenied, "The cluster does not know whose token this is.")
    return name


def _home_of(api: Api, name: str) -> str:
    """The namespace whose jobs are listed at first: all, or if not allowed the service account's own."""
    kind = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
    asked = {"resourceAttributes": {"group": GROUP, "resource": PLURAL, "verb": "list"}}
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    review = api.request("POST", path, body={**kind, "spec": asked})
    if review.get("status", {}).get("allowed") or not name.startswith(_ACCOUNT):
        return ""
    return name.removeprefix(_ACCOUNT).partition(":")[0]


def _digest(kind: str, secret: str) -> str:
    return hashlib.sha256(f"{kind} {secret}".encode()).hexdigest()
