"""Sweeps in which someone edits and deletes the children of a job, and its status, by hand."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from kubernetes.client import ApiException

from finscribe_core.api.conditions import ConditionType
from finscribe_core.constants import GROUP, LABEL_JOB, LABEL_RUN, PLURAL, VERSION
from tests.apiserver.workspace import Workspace
from tests.sweeps.burst import Burst, Kind
from tests.sweeps.counts import Counts
from tests.sweeps.environment import Environment

START_SECONDS = 60.0
LONG_AGO = "2020-01-01T00:00:00Z"
MERGE = "application/merge-patch+json"
_NO_LABELS = {"metadata": {"labels": {LABEL_JOB: None, LABEL_RUN: None}}}
_NO_OWNER = {"metadata": {"ownerReferences": None}}


@dataclass(frozen=True)
class Target:
    """The job on which someone lays hands."""

    workspace: Workspace
    name: str

    @property
    def run(self) -> str:
        """The name of its run, which is that of its Job and ConfigMap."""
        return self.workspace.batch_jobs(self.name)[0].metadata.name

    @property
    def pod(self) -> str:
        """The name of its pod."""
        return self.workspace.pods(self.name)[0].metadata.name

    def patch_job(self, patch: dict) -> None:
        """Patch its Job."""
        self.workspace.batch.patch_namespaced_job(
            self.run, self.workspace.namespace, patch, _content_type=MERGE
        )

    def delete_job(self, propagation: str = "Background") -> None:
        """Delete its Job."""
        self.workspace.batch.delete_namespaced_job(
            self.run, self.workspace.namespace, propagation_policy=propagation
        )

    def patch_pod(self, patch: dict) -> None:
        """Patch its pod."""
        self.workspace.core.patch_namespaced_pod(
            self.pod, self.workspace.namespace, patch, _content_type=MERGE
        )

    def delete_pod(self) -> None:
        """Delete its pod."""
        self.workspace.core.delete_namespaced_pod(self.pod, self.workspace.namespace)

    def patch_config_map(self, patch: dict) -> None:
        """Patch its ConfigMap."""
        self.workspace.core.patch_namespaced_config_map(
            self.run, self.workspace.namespace, patch, _content_type=MERGE
        )

    def delete_config_map(self) -> None:
        """Delete its ConfigMap."""
        self.workspace.core.delete_namespaced_config_map(self.run, self.workspace.namespace)

    def patch_status(self, status: dict | None) -> None:
        """A merge patch of its status; None removes all of it."""
        patch = {"status": status if status is not None else dict.fromkeys(self._status())}
        self.workspace.custom.patch_namespaced_custom_object_status(
            *(GROUP, VERSION, self.workspace.namespace, PLURAL, self.name, patch), _content_type=MERGE
        )

    def patch_condition(self, type_: str, **changed: str) -> None:
        """Change a condition."""
        conditions = self._status()["conditions"]
        self.patch_status({"conditions": [{**c, **changed} if c["type"] == type_ else c for c in conditions]})

    def _status(self) -> dict:
        return self.workspace.job(self.name)["status"]


@dataclass(frozen=True)
class Act:
    """What someone does by hand."""

    what: str
    do: Callable[[Target], None]
    then: Callable[[Target], None] | None = None
    """What the status asks for, or the same hand takes back."""
    max_jobs: int = 1
    """2 where the run's Job can't stay."""


def _lose_owner(target: Target) -> None:
    target.patch_job(_NO_OWNER)


def _complete(target: Target) -> None:
    target.patch_condition(ConditionType.Complete, status="True", reason="Succeeded")


def _complete_with_time(target: Target) -> None:
    _complete(target)
    target.patch_status({"run": {"completionTime": LONG_AGO}})


WHILE_IT_RUNS = (
    Act("delete the ConfigMap", Target.delete_config_map),
    Act("remove the ConfigMap's labels", lambda t: t.patch_config_map(_NO_LABELS)),
    Act("remove the ConfigMap's owner", lambda t: t.patch_config_map(_NO_OWNER)),
    Act("delete the Job", Target.delete_job, max_jobs=2),
    Act("delete the Job, but not its pod", lambda t: t.delete_job("Orphan"), max_jobs=2),
    Act("remove the Job's labels", lambda t: t.patch_job(_NO_LABELS)),
    Act("remove the Job's owner; delete the Job", _lose_owner, Target.delete_job, max_jobs=2),
    Act("raise the Job's parallelism", lambda t: t.patch_job({"spec": {"parallelism": 3}})),
    Act("set the Job's parallelism to 0", lambda t: t.patch_job({"spec": {"parallelism": 0}})),
    Act(
        "suspend the Job; resume it",
        lambda t: t.patch_job({"spec": {"suspend": True}}),
        lambda t: t.patch_job({"spec": {"suspend": False}}),
    ),
    Act("change the Job's backoffLimit", lambda t: t.patch_job({"spec": {"backoffLimit": 0}})),
    Act("set the Job's deadline", lambda t: t.patch_job({"spec": {"activeDeadlineSeconds": 86400}})),
    Act("delete the pod", Target.delete_pod),
    Act("remove the pod's labels", lambda t: t.patch_pod(_NO_LABELS)),
    Act("remove the pod's owner", lambda t: t.patch_pod(_NO_OWNER)),
    Act("remove the status", lambda t: t.patch_status(None)),
    Act("remove status.conditions", lambda t: t.patch_status({"conditions": None})),
    Act("remove status.run", lambda t: t.patch_status({"run": None})),
    Act("remove status.summary", lambda t: t.patch_status({"summary": None})),
    Act("set status.run.name", lambda t: t.patch_status({"run": {"name": "another-run"}})),
    Act("set status.run.completionTime", lambda t: t.patch_status({"run": {"completionTime": LONG_AGO}})),
    Act("set status.run.trainingHash", lambda t: t.patch_status({"run": {"trainingHash": "0"}})),
    # The status alone records the settings of the pod, so the run continues in a new one.
    Act("set status.run.attemptHash", lambda t: t.patch_status({"run": {"attemptHash": "0"}})),
    Act("remove status.run.defaultsJson", lambda t: t.patch_status({"run": {"defaultsJson": None}})),
    Act("set status.observedGeneration", lambda t: t.patch_status({"observedGeneration": 99})),
    Act("set condition Complete", _complete),
    Act("set condition Complete and completionTime", _complete_with_time),
    Act(
        "set condition Failed",
        lambda t: t.patch_condition(ConditionType.Failed, status="True", reason="InternalError"),
    ),
    Act("label the FineTuneJob", lambda t: t.workspace.change({"metadata": {"labels": {"a": "b"}}}, t.name)),
)
AFTER_ITS_END = (
    Act("delete the ConfigMap", Target.delete_config_map),
    Act("delete the Job", Target.delete_job),
    Act("remove the Job's labels", lambda t: t.patch_job(_NO_LABELS)),
    Act("remove the Job's owner", _lose_owner),
    Act("delete the pod", Target.delete_pod),
    Act("remove the pod's labels", lambda t: t.patch_pod(_NO_LABELS)),
    Act("remove the status", lambda t: t.patch_status(None)),
    Act("remove status.conditions", lambda t: t.patch_status({"conditions": None})),
    Act("remove status.run", lambda t: t.patch_status({"run": None})),
    Act("remove status.summary", lambda t: t.patch_status({"summary": None})),
    Act("remove status.run.completionTime", lambda t: t.patch_status({"run": {"completionTime": None}})),
    Act("set status.run.trainingHash", lambda t: t.patch_status({"run": {"trainingHash": "0"}})),
    Act("set status.run.attemptHash", lambda t: t.patch_status({"run": {"attemptHash": "0"}})),
    Act("remove status.run.defaultsJson", lambda t: t.patch_status({"run": {"defaultsJson": None}})),
    Act("remove status.run.outputs", lambda t: t.patch_status({"run": {"outputs": None}})),
    Act("remove status.metrics", lambda t: t.patch_status({"metrics": None})),
    Act(
        "set condition Complete to False", lambda t: t.patch_condition(ConditionType.Complete, status="False")
    ),
    Act(
        "set condition Failed",
        lambda t: t.patch_condition(ConditionType.Failed, status="True", reason="InternalError"),
    ),
)


def while_it_runs(environment: Environment, acts: tuple[Act, ...] = WHILE_IT_RUNS) -> Counts:
    """Something is done by hand to each job while its pod runs."""
    with environment.workspace() as workspace:
        burst = Burst(workspace, [Kind.Plain] * len(acts), hold=True)
        with environment.operator() as operator, burst.playing():
            burst.wait(burst.are_running, START_SECONDS)
            names = _lay_hands(environment, burst, acts)
            burst.hold = False
            return _with_names(environment.judge(burst, operator, faults=len(names)), names)


def after_its_end(environment: Environment) -> Counts:
    """Something is done by hand to each job after its end."""
    with environment.workspace() as workspace:
        burst = Burst(workspace, [Kind.Plain] * len(AFTER_ITS_END))
        with environment.operator() as operator, burst.playing():
            burst.wait(burst.is_settled, environment.scale.bound)
            names = _lay_hands(environment, burst, AFTER_ITS_END)
            return _with_names(environment.judge(burst, operator, faults=len(names)), names)


def _lay_hands(environment: Environment, burst: Burst, acts: tuple[Act, ...]) -> dict[str, str]:
    """Do each act to another job; returns what was done, by job."""
    done = {}
    members = list(zip(burst.members.values(), acts, strict=True))
    for member, act in members:
        member.max_jobs = act.max_jobs
        act.do(Target(burst.workspace, member.name))
        done[member.name] = act.what
    time.sleep(environment.scale.seconds / 5)
    for member, act in members:
        if act.then is not None:
            with suppress(ApiException, IndexError):  # what it is about may be gone already
                act.then(Target(burst.workspace, member.name))
    time.sleep(environment.scale.seconds / 5)
    return done


def _with_names(counts: Counts, names: dict[str, str]) -> Counts:
    """The same counts, whose evidence says what was done to a job."""
    for job, what in names.items():
        counts.evidence = [line.replace(f"{job}:", f"{job} ({what}):") for line in counts.evidence]
    return counts
