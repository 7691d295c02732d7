"""Forbids core dumps in a pod: the memory of a process holds the credentials in its environment."""

import os
import resource
from collections.abc import Mapping

IN_A_POD = "KUBERNETES_SERVICE_HOST"
"""Environment variable that Kubernetes sets in every container."""
_SMALLEST = 1
"""Bytes. Linux ignores 0 if a program of the node reads core dumps from a pipe; at 1 it makes none at all."""


def forbid_core_dumps(environ: Mapping[str, str] = os.environ) -> None:
    """Limit the core dumps of this process and its children, as container runtimes do not.

    Outside a pod the limit is the user's own.
    """
    if IN_A_POD in environ:
        _, hard = resource.getrlimit(resource.RLIMIT_CORE)
        if hard == resource.RLIM_INFINITY or hard > _SMALLEST:
            resource.setrlimit(resource.RLIMIT_CORE, (_SMALLEST, _SMALLEST))
