"""Translates HTTP errors of the API server into the errors of `cluster`."""

from finscribe_operator.cluster import (
    AlreadyExistsError,
    ClusterError,
    ConflictError,
    ForbiddenError,
    InvalidObjectError,
    NotFoundError,
    TransientError,
)
from finscribe_operator.objects import Object

_MESSAGE_LIMIT = 600
_IMMUTABLE = ("immutable", "Only one reference can have Controller set to true")
"""Texts of a 422 about an object that exists and can't be changed as requested."""


def translate(code: int, response: Object) -> ClusterError:
    """The error for an HTTP status and the API's Status object."""
    full = str(response.get("message", "")) or f"HTTP {code}"
    message = full if len(full) <= _MESSAGE_LIMIT else f"{full[:_MESSAGE_LIMIT]}…"
    if code == 422 and any(text in full for text in _IMMUTABLE):
        return ConflictError(message)
    if code == 409 and response.get("reason") == "AlreadyExists":
        return AlreadyExistsError(message)
    kinds: dict[int, type[ClusterError]] = {
        400: InvalidObjectError,
        401: ForbiddenError,
        403: ForbiddenError,
        404: NotFoundError,
        409: ConflictError,
        422: InvalidObjectError,
    }
    # 410 (a listing's page token has expired), 429, 5xx: transient.
    return kinds.get(code, TransientError)(message)
