"""Defines the environment variables that a FineTuneJob adds to its run's pod."""

from typing import Annotated

from pydantic import Field

from finscribe_core.api.base import KubeModel, Rule, pattern
from finscribe_core.api.references import KeyReference
from finscribe_core.constants import ENV_PREFIX, OPERATOR_VARIABLES


class EnvVarSource(KubeModel):
    """Where the value of an environment variable is."""

    config_map_key_ref: KeyReference | None = None
    """A key of a ConfigMap."""
    secret_key_ref: KeyReference | None = None
    """A key of a Secret. Only the pod reads it, never the operator."""

    rules = (
        Rule(
            cel="has(self.configMapKeyRef) != has(self.secretKeyRef)",
            check=lambda s: (s.config_map_key_ref is None) != (s.secret_key_ref is None),
            message="pod.env with valueFrom needs exactly one of configMapKeyRef and secretKeyRef",
        ),
    )


class EnvVar(KubeModel):
    """An environment variable of the trainer."""

    name: Annotated[
        str,
        Field(
            pattern=pattern(
                "^[A-Za-z_][A-Za-z0-9_]*$", "the name of an environment variable: letters, digits and '_'"
            ),
            max_length=128,
        ),
    ]
    """Its name, such as HTTPS_PROXY or HF_ENDPOINT."""
    value: Annotated[str, Field(max_length=4096)] | None = None
    """Its value."""
    value_from: EnvVarSource | None = None
    """Where its value is, instead of `value`."""

    rules = (
        Rule(
            cel="has(self.value) != has(self.valueFrom)",
            check=lambda e: (e.value is None) != (e.value_from is None),
            message="pod.env needs exactly one of value and valueFrom",
        ),
        Rule(
            cel=f"!self.name.startsWith('{ENV_PREFIX}') && !(self.name in {list(OPERATOR_VARIABLES)})",
            check=lambda e: not e.name.startswith(ENV_PREFIX) and e.name not in OPERATOR_VARIABLES,
            message=f"pod.env must not set {ENV_PREFIX}* and {', '.join(OPERATOR_VARIABLES)}: they come from "
            "other fields, such as storage, reporting and resources",
        ),
    )
