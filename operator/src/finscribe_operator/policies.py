"""Finds the limits and defaults of a namespace: the global ones, and those of the policies that select it."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from finscribe_operator.cluster import Cluster, ClusterError
from finscribe_operator.config import OperatorConfig
from finscribe_operator.limits import Limits
from finscribe_operator.objects import Object, Ref

KEPT_SECONDS = 60.0
"""How long the labels of a namespace are kept, after which they are read again for its next job."""


@dataclass(frozen=True)
class Policy:
    """What the platform team sets for the jobs of a namespace."""

    limits: Limits = field(default_factory=Limits)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """Instead of built-in defaults, by field of the spec."""
    problem: str = ""
    """Why it is not known; then no run is started."""


def find_policy(config: OperatorConfig, labels: Mapping[str, str]) -> Policy:
    """The policy of a namespace with these labels. Of several that select it, the last one wins."""
    limits, defaults = config.limits, config.defaults
    for policy in config.policies:
        if policy.namespace_selector.items() <= labels.items():
            limits = limits.model_copy(
                update={name: getattr(policy.limits, name) for name in policy.limits.model_fields_set}
            )
            defaults = policy.defaults.over(defaults)
    return Policy(limits, defaults.as_written())


class Policies:
    """The policy of each namespace. Namespaces are read only if there are policies that select some."""

    def __init__(
        self, cluster: Cluster, config: OperatorConfig, timer: Callable[[], float] = time.monotonic
    ) -> None:
        self._cluster = cluster
        self._config = config
        self._timer = timer
        self._global = find_policy(config, {})
        self._known: dict[str, tuple[float, Policy]] = {}

    async def refresh(self, namespace: str) -> None:
        """Read the labels of the namespace, unless they were read within the last minute."""
        if not self._config.policies or self._is_fresh(namespace):
            return
        try:
            live = await self._cluster.get(Ref("v1", "Namespace", "", namespace))
        except ClusterError as error:
            problem = f"The labels of namespace {namespace}, which decide its policy, can't be read: {error}"
            self._known[namespace] = (-KEPT_SECONDS, Policy(problem=problem))
            return
        self._known[namespace] = (self._timer(), find_policy(self._config, _labels(live)))

    def of(self, namespace: str) -> Policy:
        """The policy as it was when the namespace was last refreshed."""
        return self._known[namespace][1] if self._config.policies else self._global

    def _is_fresh(self, namespace: str) -> bool:
        known = self._known.get(namespace)
        return known is not None and self._timer() - known[0] < KEPT_SECONDS


def _labels(namespace: Object) -> Mapping[str, str]:
    return namespace["metadata"].get("labels") or {}
