"""What the operator may do in a cluster: the least it can work with. The chart's RBAC is generated from it.

There is no line for Secrets. Garbage collection deletes children, except the Job that a new spec supersedes.
"""

from dataclasses import dataclass
from enum import StrEnum

from finscribe_core.constants import GROUP, PLURAL


class Scope(StrEnum):
    """Where a permission is needed."""

    Namespace = "Namespace"
    """In each namespace whose jobs are worked on."""
    Cluster = "Cluster"
    """On the cluster itself, and only when all of its namespaces are watched."""


@dataclass(frozen=True)
class Permission:
    """One rule of a role."""

    group: str
    """API group; empty for the core group."""
    resource: str
    verbs: tuple[str, ...]
    why: str
    """Shown as a comment beside the rule."""
    scope: Scope = Scope.Namespace


WATCH = ("get", "list", "watch")
# Server-side apply creates with `create` and `patch` together.
APPLY = ("get", "create", "patch")

PERMISSIONS: tuple[Permission, ...] = (
    Permission(GROUP, PLURAL, WATCH, "what is to be trained"),
    Permission(GROUP, f"{PLURAL}/status", ("get", "patch"), "the only part of a job the operator writes"),
    Permission(
        GROUP, f"{PLURAL}/finalizers", ("update",), "to own children where owner references are checked"
    ),
    Permission("batch", "jobs", (*WATCH, "create", "patch", "delete"), "one for each run"),
    Permission("", "pods", WATCH, "why a run waits, and where its progress is asked for"),
    Permission("", "configmaps", APPLY, "a run's configuration"),
    Permission("", "services", APPLY, "a run's address"),
    Permission("", "events", ("create", "patch"), "news for `kubectl describe`"),
    Permission(
        "apiextensions.k8s.io",
        "customresourcedefinitions",
        ("list", "watch"),
        "to notice the FineTuneJob kind when it is installed after the operator",
        Scope.Cluster,
    ),
)
