"""The Job controller and kubelet of `finscribe run`, with real processes as containers."""

from finscribe_operator.local.job_controller import Backoff, build_pod
from finscribe_operator.local.job_status import condition_is_true, is_finished

RESULT = "open(os.environ['LOG'], 'w').write('the result')"
WITH_LOG = {
    "terminationMessagePath": "/dev/termination-log",
    "env": [{"name": "LOG", "value": "/dev/termination-log"}],
}
UNTIL_SIGTERM = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (print("checkpoint saved", flush=True), sys.exit(75)))
print("ready", flush=True)
while True: time.sleep(1)
"""


def conditions(job):
    return {c["type"]: (c["status"], c["reason"]) for c in job["status"].get("conditions", [])}


def terminated(pod):
    return pod["status"]["containerStatuses"][0]["state"]["terminated"]


def is_running(local):
    return [pod for pod in local.pods if pod["status"]["phase"] == "Running"]


async def test_exit_code_0_completes_the_job(start):
    local = await start(f"import os; {RESULT}", container=WITH_LOG)
    await local.until(lambda: is_finished(local.job))

    assert conditions(local.job) == {
        "SuccessCriteriaMet": ("True", "CompletionsReached"),
        "Complete": ("True", "CompletionsReached"),
    }
    assert local.job["status"]["succeeded"] == 1
    assert local.pods[0]["status"]["phase"] == "Succeeded"
    assert terminated(local.pods[0])["message"] == "the result"


async def test_a_user_error_fails_the_job_at_once(start):
    local = await start(f"import os, sys; {RESULT}; sys.exit(78)", container=WITH_LOG)
    await local.until(lambda: is_finished(local.job))

    assert conditions(local.job)["Failed"] == ("True", "PodFailurePolicy")
    assert len(local.pods) == 1
    assert (terminated(local.pods[0])["exitCode"], terminated(local.pods[0])["message"]) == (78, "the result")


async def test_other_failures_are_retried_up_to_the_backoff_limit(start):
    local = await start("import sys; sys.exit(75)")
    await local.until(lambda: is_finished(local.job))

    assert conditions(local.job)["Failed"] == ("True", "BackoffLimitExceeded")
    assert [terminated(pod)["exitCode"] for pod in local.pods] == [75, 75, 75]
    assert local.job["status"]["failed"] == 3


async def test_a_killed_process_has_the_exit_code_of_a_killed_container(start):
    local = await start("import os; os.kill(os.getpid(), 9)", backoffLimit=0)
    await local.until(lambda: is_finished(local.job))

    assert terminated(local.pods[0])["exitCode"] == 137


async def test_the_deadline_terminates_the_process_and_fails_the_job(start):
    local = await start(UNTIL_SIGTERM, activeDeadlineSeconds=1)
    await local.until(lambda: is_finished(local.job))

    assert conditions(local.job)["Failed"] == ("True", "DeadlineExceeded")
    assert local.pods == []


async def test_suspend_ends_the_process_gracefully_and_resume_starts_another(start, tmp_path):
    local = await start(UNTIL_SIGTERM)
    logs = tmp_path / "state" / "runs" / "run-1"
    await local.until(lambda: any("ready" in log.read_text() for log in logs.glob("*.log")))
    await local.until(lambda: is_running(local))  # the pod is stored after its process has started
    first = local.pods[0]["metadata"]["name"]

    await local.apply(suspend=True)
    assert local.pods == []
    assert conditions(local.job)["Suspended"] == ("True", "JobSuspended")
    assert "checkpoint saved" in (logs / f"{first}.log").read_text()

    await local.apply(suspend=False)
    await local.until(lambda: is_running(local))
    assert conditions(local.job)["Suspended"] == ("False", "JobResumed")
    assert local.job["status"].get("failed", 0) == 0


async def test_shutting_down_counts_no_failure_and_leaves_the_job_to_be_resumed(start):
    local = await start(UNTIL_SIGTERM)
    await local.until(lambda: is_running(local))
    await local.controller.shut_down()

    assert local.pods == []
    assert not is_finished(local.job)
    assert local.job["status"].get("failed", 0) == 0


async def test_pods_of_a_dead_process_are_deleted_and_the_time_between_does_not_count(start):
    local = await start("", suspend=True)
    lost = build_pod(local.job)
    local.publish({**lost, "status": {"phase": "Running"}})
    local.publish({**local.job, "status": {"startTime": "2020-01-01T00:00:00Z"}})

    local.controller.recover()
    assert local.pods == []

    await local.apply(suspend=False, activeDeadlineSeconds=60)
    await local.until(lambda: is_finished(local.job))
    assert condition_is_true(local.job, "Complete")


async def test_a_failure_without_a_message_shows_the_end_of_the_log(start):
    policy = {"terminationMessagePolicy": "FallbackToLogsOnError"}
    local = await start("raise SystemExit('no such module')", container=policy, backoffLimit=0)
    await local.until(lambda: is_finished(local.job))

    assert "no such module" in terminated(local.pods[0])["message"]


def test_backoff_doubles_from_10_seconds_to_10_minutes():
    assert [Backoff().delay(failures) for failures in (0, 1, 2, 3, 7, 8)] == [0, 10, 20, 40, 600, 600]
