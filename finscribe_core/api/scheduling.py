"""Defines the rules by which the scheduler chooses a node, with the fields of a Kubernetes pod."""

import re
from typing import Annotated, Literal

from pydantic import Field

from finscribe_core.api.base import (
    DNS_LABEL,
    MAX_SECONDS,
    Int,
    KubeModel,
    LabelName,
    Labels,
    LabelValue,
    Rule,
    key_name_rule,
)

_COMPARES_VALUES = ("In", "NotIn")
_INTEGER = "^[0-9]{1,18}$"


class LabelExpression(KubeModel):
    """A condition on a label."""

    key: LabelName
    """Name of the label."""
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    """How the label is compared."""
    values: Annotated[list[LabelValue], Field(max_length=32)] | None = None
    """Values for In and NotIn."""

    rules = (
        Rule(
            cel="(self.operator in ['In', 'NotIn']) == (has(self.values) && self.values.size() > 0)",
            check=lambda e: (e.operator in _COMPARES_VALUES) == bool(e.values),
            message="matchExpressions need values with In and NotIn, and must have none with Exists and "
            "DoesNotExist",
        ),
    )


class LabelSelector(KubeModel):
    """Selects objects whose labels satisfy every condition; an empty one selects all."""

    match_labels: Labels | None = None
    """Labels with exactly these values."""
    match_expressions: Annotated[list[LabelExpression], Field(max_length=16)] | None = None
    """Conditions on labels."""

    rules = (key_name_rule("match_labels", "matchLabels", "labels"),)


class NodeExpression(KubeModel):
    """A condition on a label of a node."""

    key: LabelName
    """Name of the label."""
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]
    """How the label is compared."""
    values: Annotated[list[LabelValue], Field(max_length=32)] | None = None
    """Values for In and NotIn; one whole number for Gt and Lt."""

    rules = (
        Rule(
            cel="self.operator in ['Gt', 'Lt'] || "
            "(self.operator in ['In', 'NotIn']) == (has(self.values) && self.values.size() > 0)",
            check=lambda e: e.operator in ("Gt", "Lt") or (e.operator in _COMPARES_VALUES) == bool(e.values),
            message="matchExpressions need values with In and NotIn, and must have none with Exists and "
            "DoesNotExist",
        ),
        Rule(
            cel="!(self.operator in ['Gt', 'Lt']) || (has(self.values) && self.values.size() == 1 && "
            f"self.values[0].matches('{_INTEGER}'))",
            check=lambda e: (
                e.operator not in ("Gt", "Lt")
                or (len(e.values or []) == 1 and re.fullmatch(_INTEGER, e.values[0]) is not None)
            ),
            message="matchExpressions with Gt and Lt need exactly one value, a whole number in quotes",
        ),
    )


class NodeSelectorTerm(KubeModel):
    """Selects nodes that satisfy every condition."""

    match_expressions: Annotated[list[NodeExpression], Field(min_length=1, max_length=16)]
    """Conditions on labels of the node."""


class NodeSelector(KubeModel):
    """Selects nodes by any of several terms."""

    node_selector_terms: Annotated[list[NodeSelectorTerm], Field(min_length=1, max_length=16)]
    """A node must satisfy one of them."""


Weight = Annotated[Int, Field(ge=1, le=100)]


class PreferredSchedulingTerm(KubeModel):
    """Nodes that are preferred, with a weight."""

    weight: Weight
    """1 to 100; the weights of the terms that a node satisfies are added."""
    preference: NodeSelectorTerm
    """Which nodes."""


class NodeAffinity(KubeModel):
    """On which nodes the pod may run, and on which it should."""

    required_during_scheduling_ignored_during_execution: NodeSelector | None = None
    """Nodes that the pod may run on."""
    preferred_during_scheduling_ignored_during_execution: (
        Annotated[list[PreferredSchedulingTerm], Field(max_length=16)] | None
    ) = None
    """Nodes that are preferred among them."""


class PodAffinityTerm(KubeModel):
    """Nodes, or zones, on which certain pods run."""

    label_selector: LabelSelector
    """Labels of those pods."""
    topology_key: LabelName
    """Label of nodes: those with the same value count as one place, such as kubernetes.io/hostname."""
    namespaces: (
        Annotated[list[Annotated[str, Field(pattern=DNS_LABEL, max_length=63)]], Field(max_length=32)] | None
    ) = None
    """Namespaces of those pods; the job's when this and namespaceSelector are unset."""
    namespace_selector: LabelSelector | None = None
    """Labels of their namespaces; `{}` selects all."""


class WeightedPodAffinityTerm(KubeModel):
    """Such nodes, with a weight."""

    weight: Weight
    """1 to 100."""
    pod_affinity_term: PodAffinityTerm
    """Which nodes."""


class PodAffinity(KubeModel):
    """Beside which pods the pod runs, or does not run."""

    required_during_scheduling_ignored_during_execution: (
        Annotated[list[PodAffinityTerm], Field(max_length=16)] | None
    ) = None
    """Terms that all hold."""
    preferred_during_scheduling_ignored_during_execution: (
        Annotated[list[WeightedPodAffinityTerm], Field(max_length=16)] | None
    ) = None
    """Terms that should hold."""


class Affinity(KubeModel):
    """Rules that tie the pod to nodes or to other pods."""

    node_affinity: NodeAffinity | None = None
    """Nodes by their labels."""
    pod_affinity: PodAffinity | None = None
    """Close to certain pods."""
    pod_anti_affinity: PodAffinity | None = None
    """Away from certain pods."""


class TopologySpreadConstraint(KubeModel):
    """How evenly pods are spread over nodes or zones."""

    max_skew: Int = Field(ge=1, le=MAX_SECONDS)
    """Largest difference between the numbers of pods of two places."""
    topology_key: LabelName
    """Label of nodes: those with the same value are one place, such as topology.kubernetes.io/zone."""
    when_unsatisfiable: Literal["DoNotSchedule", "ScheduleAnyway"]
    """What happens when the pod would exceed maxSkew."""
    label_selector: LabelSelector
    """Labels of the pods that are counted, such as app.kubernetes.io/component: trainer."""
    min_domains: Int | None = Field(None, ge=1, le=MAX_SECONDS)
    """Least number of places, with DoNotSchedule."""
    node_affinity_policy: Literal["Honor", "Ignore"] | None = None
    """Whether nodes that the pod's nodeSelector and affinity exclude are ignored (Honor)."""
    node_taints_policy: Literal["Honor", "Ignore"] | None = None
    """Whether nodes with taints that the pod does not tolerate are ignored (Honor)."""

    rules = (
        Rule(
            cel="!has(self.minDomains) || self.whenUnsatisfiable == 'DoNotSchedule'",
            check=lambda c: c.min_domains is None or c.when_unsatisfiable == "DoNotSchedule",
            message="topologySpreadConstraints with minDomains need whenUnsatisfiable: DoNotSchedule",
        ),
    )
