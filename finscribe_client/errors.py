"""Defines the errors of the client, and translates those of the API server into them, each with a remedy."""

import re
from enum import StrEnum
from typing import Any

from finscribe_core.constants import EXIT_RETRY, EXIT_USER_ERROR, PLURAL
from finscribe_core.errors import FinscribeError
from finscribe_core.texts import to_one_line

_MESSAGE_LIMIT = 2000


class ClientReason(StrEnum):
    """Why a call failed. A run that failed has a `FailureReason` instead."""

    NoCluster = "NoCluster"
    """There is no kubeconfig, or it can't be used."""
    ClusterUnreachable = "ClusterUnreachable"
    """The API server does not answer, or can't answer now."""
    NotInstalled = "NotInstalled"
    """The cluster has no FineTuneJobs: FinScribe is not installed."""
    AccessDenied = "AccessDenied"
    """The credentials are not valid, or lack a permission."""
    NamespaceNotFound = "NamespaceNotFound"
    """The namespace does not exist."""
    NotFound = "NotFound"
    """The job, run, pod or file does not exist."""
    Rejected = "Rejected"
    """The API server does not accept the job: a rule, a policy, a quota or a webhook."""
    Conflict = "Conflict"
    """Somebody else has set the same fields, or the job has changed meanwhile."""
    WrongState = "WrongState"
    """The job's state does not permit what was asked for."""
    TimedOut = "TimedOut"
    """The job has not ended in time."""
    Damaged = "Damaged"
    """A downloaded file is not the one that was uploaded."""
    WouldOverwrite = "WouldOverwrite"
    """A file exists with other content."""


_RETRYABLE = {ClientReason.ClusterUnreachable, ClientReason.TimedOut}


class ClientError(FinscribeError):
    """An error of the client, with its reason and a remedy."""

    reason: ClientReason  # type: ignore[assignment] # not a reason of a run

    def __init__(self, reason: ClientReason, message: str, remedy: str = "") -> None:
        super().__init__(reason, message, remedy)  # type: ignore[arg-type] # likewise
        self.exit_code = EXIT_RETRY if reason in _RETRYABLE else EXIT_USER_ERROR


class InvalidObjectError(ClientError):
    """The API server found an object invalid."""

    def __init__(self, message: str, causes: list[tuple[str, str]]) -> None:
        super().__init__(ClientReason.Rejected, message)
        self.causes = causes
        """Path of each invalid field, and what is wrong with it."""


def translate(code: int, status: dict[str, Any], namespace: str) -> ClientError:
    """The error for an HTTP status and the API's Status object.

    Args:
        code: HTTP status.
        status: the response; empty or with other keys if it is not from the API.
        namespace: the namespace of the request; empty for all of them.
    """
    message = to_one_line(str(status.get("message") or f"HTTP {code}"), _MESSAGE_LIMIT)
    details = status.get("details") or {}
    if code == 404:
        return _not_found(str(details.get("kind", "")), str(details.get("name", "")), namespace)
    if code == 422 and details.get("causes"):
        causes = [(str(c.get("field", "")), str(c.get("message", ""))) for c in details["causes"]]
        return InvalidObjectError(message, causes)
    reason, remedy = ClientReason.ClusterUnreachable, "Try again."
    match code:
        case 401:
            reason, message = ClientReason.AccessDenied, "The cluster did not accept your credentials."
            remedy = "Log in again, or choose another --context: `kubectl config get-contexts`."
        case 403 if " cannot " in message:
            reason, remedy = ClientReason.AccessDenied, _ask_for_role(message, namespace)
        case 400 | 403 | 422:
            reason, remedy = ClientReason.Rejected, ""
        case 409:
            reason, remedy = ClientReason.Conflict, ""
    return ClientError(reason, message, remedy)


def _ask_for_role(message: str, namespace: str) -> str:
    role = "view" if re.search(r" cannot (get|list|watch) ", message) else "edit"
    where = f"in namespace {namespace}" if namespace else "in all namespaces"
    return f"Ask for the role `{role}` {where}, or pass another --namespace or --context."


def _not_found(kind: str, name: str, namespace: str) -> ClientError:
    if not name:
        remedy = "Ask who runs the cluster to install FinScribe, or choose another --context."
        return ClientError(ClientReason.NotInstalled, "This cluster has no FineTuneJobs.", remedy)
    if kind == "namespaces":
        remedy = "Pass another --namespace, or create it: `kubectl create namespace NAME`."
        return ClientError(ClientReason.NamespaceNotFound, f"There is no namespace {name}.", remedy)
    what, remedy = kind or "object", ""
    if kind == PLURAL:
        what, remedy = "FineTuneJob", f"`finscribe list --namespace {namespace}` shows those that exist."
    return ClientError(ClientReason.NotFound, f"There is no {what} {name} in namespace {namespace}.", remedy)
