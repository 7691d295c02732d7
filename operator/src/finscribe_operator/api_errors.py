"""An API server's refusals in the terms of `cluster`."""

from finscribe_operator.cluster import (
    ClusterError,
    ConflictError,
    ForbiddenError,
    InvalidObjectError,
    NotFoundError,
    TransientError,
)
from finscribe_operator.objects import Object

_MESSAGE_LIMIT = 600
_UNCHANGEABLE = ("immutable", "Only one reference can have Controller set to true")
"""What a 422 says of an object that exists and can't become what was asked for."""


def translate(code: int, answer: Object) -> ClusterError:
    """The error for an HTTP status and the API's Status object."""
    full = str(answer.get("message", "")) or f"HTTP {code}"
    message = full if len(full) <= _MESSAGE_LIMIT else f"{full[:_MESSAGE_LIMIT]}…"
    if code == 422 and any(text in full for text in _UNCHANGEABLE):
        return ConflictError(message)
    kinds: dict[int, type[ClusterError]] = {
        400: InvalidObjectError,
        401: ForbiddenError,
        403: ForbiddenError,
        404: NotFoundError,
        409: ConflictError,
        422: InvalidObjectError,
    }
    # 410 (a listing's page token is too old), 429, 5xx: ask again.
    return kinds.get(code, TransientError)(message)
