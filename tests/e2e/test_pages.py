"""The commands of the pages about jobs on a cluster, and of the runbooks, beside a job that trains."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.apiserver.eventually import eventually
from tests.e2e.conftest import POD_SECURITY, ROOT
from tests.e2e.shell import Shell, open_shell
from tests.e2e.team import RUN_SECONDS, Bucket, Team
from tests.support.prometheus_crds import prometheus_crds
from tests.unit.docs.pages import ALL
from tools.kube.cluster import Cluster
from tools.kube.images import image_name

NAMESPACE = "team-a"
"""That of the runbooks."""
JOBS = {"job.yaml": "invoices", "examples/paddleocr-vl.yaml": "team-invoices"}
"""The jobs of the pages by their files. Here both train the small model on a few rows."""
PAGES = [
    *("README.md", "docs/install.md", "docs/air-gap.md", "docs/monitoring.md", "docs/plan.md"),
    *("docs/tutorial.md", "docs/evaluation.md", "docs/gitops.md", "docs/troubleshooting.md"),
    *sorted(page for page in ALL if page.startswith("docs/runbooks/")),
]
ORDER = [
    r"helm .*--install|rollout",
    r"kubectl create secret",
    r"kubectl apply -f",
    r"helm upgrade finscribe|finscribe submit|\(?kubectl (get|describe|logs|exec)(?!.*outputs)",
    r"kubectl wait",
    r"kubectl get .*outputs|kubectl annotate",
]
"""How the lines begin that are run here, step by step. In the fourth the jobs train."""
STEPS = [
    [line for page in PAGES for line in ALL[page].tested_commands if re.match(f"(?:{pattern})", line)]
    for pattern in ORDER
]
RUN = [line for step in STEPS for line in step]
FOLLOW_SECONDS = 3
"""How long `--watch` watches."""
MAY_FIND_NOTHING = 'grep \'"level": *"error"\''


@pytest.fixture
def team(cluster: Cluster, bucket: Bucket, tmp_path: Path) -> Iterator[Team]:
    """A namespace that enforces Pod Security `restricted`."""
    team = Team(cluster, NAMESPACE)
    team.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": POD_SECURITY}}
    )
    yield team
    cluster.kubectl("delete", "namespace", NAMESPACE)


@pytest.fixture
def shell(cluster: Cluster, team: Team, bucket: Bucket, tmp_path: Path) -> Shell:
    """A checkout as far as the pages need it, credentials of the bucket, and the jobs in their files."""
    (tmp_path / "charts").symlink_to(ROOT / "charts")
    (tmp_path / "examples").mkdir()
    for file, name in JOBS.items():
        training = {"numTrainEpochs": 4, "evalSteps": 8, "saveSteps": 8}
        output = {"uri": f"s3://{bucket.name}/results/pages/{name}"}
        job = team.manifest(name, training=training, earlyStopping={"enabled": False}, output=output)
        (tmp_path / file).write_text(yaml.safe_dump(job))
    shell = open_shell(cluster, tmp_path, NAMESPACE)
    server = bucket.server
    shell.environment.update(
        AWS_ENDPOINT_URL=server.url,
        AWS_ACCESS_KEY_ID=server.access_key,
        AWS_SECRET_ACCESS_KEY=server.secret_key,
    )
    return shell


@pytest.mark.usefixtures("helm")
def test_the_commands_of_the_pages_work_before_while_and_after_a_job_trains(
    cluster: Cluster, team: Team, shell: Shell
):
    for crd in prometheus_crds():
        cluster.kubectl("apply", "--server-side", f"--filename={crd}")
    install, secrets, apply, watch, wait, read = STEPS

    run(install, shell)
    for line in secrets:
        shell.run(f"kubectl delete secret {line.split()[4]} --ignore-not-found")  # two pages create one
        run([line], shell)
    run(apply, shell)
    eventually(lambda: team.status("invoices").progress.step > 8, within=RUN_SECONDS)
    run(watch, shell, team.status("invoices").run.name)
    run(wait, shell)
    run(read, shell)

    assert {team.status(name).summary.state for name in JOBS.values()} == {"Complete"}


def run(lines: list[str], shell: Shell, run_name: str = "") -> None:
    """Run lines with the test's registry, credentials and run in place of those of the pages."""
    registry = image_name("operator").partition("/")[0]
    values = {
        r"\bREGISTRY\b|registry\.example\.org": registry,
        r"\bRUN\b|\binvoices-[0-9a-f]{8}\b": run_name,
        r"(AWS_\w+)=(\.\.\.|https:\S+)": r"\1=$\1",
    }
    for line in lines:
        command = line
        for pattern, value in values.items():
            command = re.sub(pattern, value, command)
        follows = "--watch" in line
        done = shell.try_to_run(f"timeout {FOLLOW_SECONDS} {command}" if follows else command)
        expected = {124} if follows else {0, 1} if MAY_FIND_NOTHING in line else {0}
        assert done.returncode in expected, f"{line}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
