"""The Job controller and kubelet of `finscribe run`, with real processes as containers."""

from finscribe_operator.local.job_controller import Backoff, build_pod
from finscribe_operator.local.job_status import holds, is_finished

RESULT = "open(os.environ['LOG'], 'w').write('last words')"
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


def is_running(world):
    return [pod for pod in world.pods if pod["status"]["phase"] == "Running"]


async def test_exit_code_0_completes_the_job(start):
    world = await start(f"import os; {RESULT}", container=WITH_LOG)
    await world.until(lambda: is_finished(world.job))

    assert conditions(world.job) == {
        "SuccessCriteriaMet": ("True", "CompletionsReached"),
        "Complete": ("True", "CompletionsReached"),
    }
    assert world.job["status"]["succeeded"] == 1
    assert world.pods[0]["status"]["phase"] == "Succeeded"
    assert terminated(world.pods[0])["message"] == "last words"


async def test_a_user_error_fails_the_job_at_once(start):
    world = await start(f"import os, sys; {RESULT}; sys.exit(78)", container=WITH_LOG)
    await world.until(lambda: is_finished(world.job))

    assert conditions(world.job)["Failed"] == ("True", "PodFailurePolicy")
    assert len(world.pods) == 1
    assert (terminated(world.pods[0])["exitCode"], terminated(world.pods[0])["message"]) == (78, "last words")


async def test_other_failures_are_retried_up_to_the_backoff_limit(start):
    world = await start("import sys; sys.exit(75)")
    await world.until(lambda: is_finished(world.job))

    assert conditions(world.job)["Failed"] == ("True", "BackoffLimitExceeded")
    assert [terminated(pod)["exitCode"] for pod in world.pods] == [75, 75, 75]
    assert world.job["status"]["failed"] == 3


async def test_a_process_that_is_killed_ends_as_a_container_does(start):
    world = await start("import os; os.kill(os.getpid(), 9)", backoffLimit=0)
    await world.until(lambda: is_finished(world.job))

    assert terminated(world.pods[0])["exitCode"] == 137


async def test_the_deadline_ends_the_process_and_fails_the_job(start):
    world = await start(UNTIL_SIGTERM, activeDeadlineSeconds=1)
    await world.until(lambda: is_finished(world.job))

    assert conditions(world.job)["Failed"] == ("True", "DeadlineExceeded")
    assert world.pods == []


async def test_suspend_ends_the_process_gracefully_and_resume_starts_another(start, tmp_path):
    world = await start(UNTIL_SIGTERM)
    logs = tmp_path / "state" / "runs" / "run-1"
    await world.until(lambda: any("ready" in log.read_text() for log in logs.glob("*.log")))
    first = world.pods[0]["metadata"]["name"]

    await world.apply(suspend=True)
    assert world.pods == []
    assert conditions(world.job)["Suspended"] == ("True", "JobSuspended")
    assert "checkpoint saved" in (logs / f"{first}.log").read_text()

    await world.apply(suspend=False)
    await world.until(lambda: is_running(world))
    assert conditions(world.job)["Suspended"] == ("False", "JobResumed")
    assert world.job["status"].get("failed", 0) == 0


async def test_shutting_down_counts_no_failure_and_leaves_the_job_to_be_resumed(start):
    world = await start(UNTIL_SIGTERM)
    await world.until(lambda: is_running(world))
    await world.controller.shut_down()

    assert world.pods == []
    assert not is_finished(world.job)
    assert world.job["status"].get("failed", 0) == 0


async def test_pods_of_a_process_that_is_gone_are_forgotten_and_the_deadline_stood_still(start):
    world = await start("", suspend=True)
    lost = build_pod(world.job)
    world.publish({**lost, "status": {"phase": "Running"}})
    world.publish({**world.job, "status": {"startTime": "2020-01-01T00:00:00Z"}})

    world.controller.recover()
    assert world.pods == []

    await world.apply(suspend=False, activeDeadlineSeconds=60)
    await world.until(lambda: is_finished(world.job))
    assert holds(world.job, "Complete")


async def test_a_silent_failure_is_told_by_the_end_of_its_log(start):
    policy = {"terminationMessagePolicy": "FallbackToLogsOnError"}
    world = await start("raise SystemExit('no such module')", container=policy, backoffLimit=0)
    await world.until(lambda: is_finished(world.job))

    assert "no such module" in terminated(world.pods[0])["message"]


def test_backoff_doubles_from_10_seconds_to_10_minutes():
    assert [Backoff().delay(failures) for failures in (0, 1, 2, 3, 7, 8)] == [0, 10, 20, 40, 600, 600]
