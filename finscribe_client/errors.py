"""Defines the errors of the client, and translates those of the API server into them, each with a remedy."""

import re
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Remedies:
    """What somebody can do about an error of the API server, where they read it."""

    signed_out: str
    or_another: str
    """What else can be done, after the role to ask for."""
    not_installed: str
    no_namespace: str
    no_job: str
    """With `{namespace}`."""
    no_answer: str


COMMANDS = Remedies(
    signed_out="Log in again, or choose another --context: `kubectl config get-contexts`.",
    or_another="or pass another --namespace or --context",
    not_installed="Ask who runs the cluster to install FinScribe, or choose another --context.",
    no_namespace="Pass another --namespace, or create it: `kubectl create namespace NAME`.",
    no_job="`finscribe list --namespace {namespace}` shows those that exist.",
    no_answer="Check the network and VPN, or choose another --context.",
)
"""In a terminal, with the user's own kubeconfig."""
PAGES = Remedies(
    signed_out="Sign in again: your token has ended, or was withdrawn.",
    or_another="or choose another namespace",
    not_installed="Ask who runs the cluster to install FinScribe.",
    no_namespace="Choose another namespace.",
    no_job="The list of runs shows those that exist.",
    no_answer="Try again; ask who runs the cluster if it stays so.",
)
"""On a page of the web view in the cluster."""


def translate(
    code: int, status: dict[str, Any], namespace: str, remedies: Remedies = COMMANDS
) -> ClientError:
    """The error for an HTTP status and the API's Status object.

    Args:
        code: HTTP status.
        status: the response; empty or with other keys if it is not from the API.
        namespace: the namespace of the request; empty for all of them.
        remedies: what can be done where the error is read.
    """
    message = to_one_line(str(status.get("message") or f"HTTP {code}"), _MESSAGE_LIMIT)
    details = status.get("details") or {}
    if code == 404:
        return _not_found(str(details.get("kind", "")), str(details.get("name", "")), namespace, remedies)
    if code == 422 and details.get("causes"):
        causes = [(str(c.get("field", "")), str(c.get("message", ""))) for c in details["causes"]]
        return InvalidObjectError(message, causes)
    reason, remedy = ClientReason.ClusterUnreachable, "Try again."
    match code:
        case 401:
            reason, message = ClientReason.AccessDenied, "The cluster did not accept your credentials."
            remedy = remedies.signed_out
        case 403 if " cannot " in message:
            reason, remedy = ClientReason.AccessDenied, _ask_for_role(message, namespace, remedies)
        case 400 | 403 | 422:
            reason, remedy = ClientReason.Rejected, ""
        case 409:
            reason, remedy = ClientReason.Conflict, ""
    return ClientError(reason, message, remedy)


def _ask_for_role(message: str, namespace: str, remedies: Remedies) -> str:
    role = "view" if re.search(r" cannot (get|list|watch) ", message) else "edit"
    where = f"in namespace {namespace}" if namespace else "in all namespaces"
    return f"Ask for the role `{role}` {where}, {remedies.or_another}."


def _not_found(kind: str, name: str, namespace: str, remedies: Remedies) -> ClientError:
    if not name:
        message = "This cluster has no FineTuneJobs."
        return ClientError(ClientReason.NotInstalled, message, remedies.not_installed)
    if kind == "namespaces":
        message = f"There is no namespace {name}."
        return ClientError(ClientReason.NamespaceNotFound, message, remedies.no_namespace)
    what, remedy = kind or "object", ""
    if kind == PLURAL:
        what, remedy = "FineTuneJob", remedies.no_job.format(namespace=namespace)
    return ClientError(ClientReason.NotFound, f"There is no {what} {name} in namespace {namespace}.", remedy)
