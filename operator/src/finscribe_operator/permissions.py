"""What the operator may do in a cluster: the least it can work with. The chart's RBAC is generated from it.

All of it is namespaced, so that a Role does where a ClusterRole is not wanted. There is no line for Secrets.
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


WATCH = ("list", "watch")
# Server-side apply creates with `create` and `patch` together; what is there already is read instead.
# Experiments need the same: they are read, then created or patched, never applied.
APPLY = ("get", "create", "patch", "delete")

PERMISSIONS: tuple[Permission, ...] = (
    Permission(GROUP, PLURAL, (*WATCH, *APPLY), "what is to be trained; experiments are made, too"),
    Permission(GROUP, f"{PLURAL}/status", ("patch",), "the only part of a job the operator writes"),
    Permission(
        GROUP, f"{PLURAL}/finalizers", ("update",), "to own children where owner references are checked"
    ),
    Permission("batch", "jobs", (*WATCH, *APPLY), "one for each run"),
    Permission("", "pods", WATCH, "why a run waits, and where its progress is asked for"),
    Permission("", "configmaps", APPLY, "a run's configuration"),
    Permission("", "services", APPLY, "a run's address"),
    Permission("", "events", ("create",), "a job's story, for `kubectl describe`"),
)
