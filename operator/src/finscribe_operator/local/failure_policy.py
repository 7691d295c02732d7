"""Applies a Job's podFailurePolicy to a failed pod."""

from dataclasses import dataclass
from enum import StrEnum

from finscribe_operator.objects import Object


class Action(StrEnum):
    """The action of a rule."""

    FailJob = "FailJob"
    Ignore = "Ignore"
    Count = "Count"


@dataclass(frozen=True)
class Decision:
    """The action for a pod, and the Job controller's message for it."""

    action: Action
    message: str = ""


def decide_action(job: Object, pod: Object) -> Decision:
    """The action of the first rule that matches the failed pod; without one it counts as a failure."""
    for index, rule in enumerate(job["spec"].get("podFailurePolicy", {}).get("rules", [])):
        what = _exit_code_match(rule.get("onExitCodes"), pod) or _condition_match(
            rule.get("onPodConditions", []), pod
        )
        if what:
            action = Action(rule["action"])
            return Decision(action, f"{what} matching {action} rule at index {index}")
    return Decision(Action.Count)


def _exit_code_match(requirement: Object | None, pod: Object) -> str:
    if requirement is None:
        return ""
    for status in pod["status"].get("containerStatuses", []):
        if requirement.get("containerName", status["name"]) != status["name"]:
            continue
        code = status.get("state", {}).get("terminated", {}).get("exitCode", 0)
        listed = code in requirement["values"]
        if code != 0 and listed == (requirement["operator"] == "In"):
            place = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
            return f"Container {status['name']} for pod {place} failed with exit code {code}"
    return ""


def _condition_match(patterns: list[Object], pod: Object) -> str:
    for pattern in patterns:
        for found in pod["status"].get("conditions", []):
            if (found["type"], found["status"]) == (pattern["type"], pattern.get("status", "True")):
                place = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
                return f"Pod {place} has condition {found['type']}"
    return ""
