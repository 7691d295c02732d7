"""Lists the operator's RBAC permissions, which are minimal; the chart's roles are generated from it.

All are namespaced, so that a Role suffices where a ClusterRole is not allowed. Secrets are not among them.
Those of `PERMISSIONS` are for the namespaces with jobs, those of `OWN_PERMISSIONS` for the operator's own.
"""

from dataclasses import dataclass

from finscribe_core.constants import GROUP, PLURAL


@dataclass(frozen=True)
class Permission:
    """One rule of a role."""

    group: str
    """API group; empty for the core group."""
    resource: str
    verbs: tuple[str, ...]
    why: str
    """Shown as a comment beside the rule."""
    only_with: str = ""
    """Key of the operator's configuration; without it the permission is not granted."""
    only_its_own: bool = False
    """For the object that has the operator's name, and no other."""


WATCH = ("list", "watch")
MAKE = ("get", "create", "delete")

PERMISSIONS: tuple[Permission, ...] = (
    Permission(GROUP, PLURAL, (*WATCH, *MAKE, "patch"), "the jobs; those of experiments are created"),
    Permission(GROUP, f"{PLURAL}/status", ("patch",), "the only part of a job the operator writes"),
    Permission(
        GROUP, f"{PLURAL}/finalizers", ("update",), "to own children where owner references are checked"
    ),
    Permission("batch", "jobs", (*WATCH, *MAKE, "patch"), "one for each run"),
    Permission("", "pods", WATCH, "why a run waits, and the address of its /progress"),
    Permission("", "configmaps", MAKE, "a run's configuration"),
    Permission("", "services", MAKE, "the names by which a run's pods find each other"),
    Permission("", "events", ("create",), "Events of a job, for `kubectl describe`"),
    Permission("", "events", ("list",), "why a pod can't be created or started, which only Events say"),
    Permission(
        "kueue.x-k8s.io",
        "workloads",
        ("list", "patch"),
        "what a run in a queue waits for; to suspend it and to resume it",
    ),
    Permission("", "namespaces", ("get",), "labels that policies select a namespace by", "policies"),
)

OWN_PERMISSIONS: tuple[Permission, ...] = (
    Permission(
        "coordination.k8s.io",
        "leases",
        ("get", "update"),
        "the Lease of the replica that works",
        only_its_own=True,
    ),
    Permission("coordination.k8s.io", "leases", ("create",), "the same, if it was deleted"),
)
