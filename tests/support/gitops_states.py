"""What GitOps tools have to say of a job in each of its states."""

from finscribe_core.api.v1alpha1 import State

GITOPS_STATES = {
    State.Pending: ("Progressing", "InProgress"),
    State.Running: ("Progressing", "InProgress"),
    State.Retrying: ("Progressing", "InProgress"),
    State.Unknown: ("Progressing", "InProgress"),
    State.Suspended: ("Suspended", "Current"),
    State.Complete: ("Healthy", "Current"),
    State.Failed: ("Degraded", "Failed"),
    State.Invalid: ("Degraded", "Failed"),
}
"""Health in Argo CD, and status by kstatus, by state."""
UNREAD = ("Progressing", "InProgress")
"""The same of a job that no operator has read since its spec changed, whatever its state was."""
