"""The API server of the sweeps, its operators, and how a burst of jobs is judged."""

import ssl
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from kubernetes import client, config

from tests.apiserver.faulty_proxy import FaultyProxy, faulty_proxy
from tests.apiserver.installation import CRDS, SYSTEM_NAMESPACE, install_account
from tests.apiserver.operator_process import OperatorProcess
from tests.apiserver.workspace import Workspace, open_workspace
from tests.sweeps.audit import POLICY, count_status_writes, read_created_jobs
from tests.sweeps.burst import CHANGED_AFTER_THE_END, Burst, Kind, mix
from tests.sweeps.counts import Counts, Found, count
from tools.kube.apiserver import ApiServer, running_api_server

DEFECTS = ("Defect", "Traceback (most recent call last)")
"""Texts of the operator's log that no disturbance may cause."""
OPERATOR = f"system:serviceaccount:{SYSTEM_NAMESPACE}:"


@dataclass(frozen=True)
class Scale:
    """How large a sweep is."""

    jobs: int = 50
    """Jobs in a burst."""
    kinds: tuple[Kind, ...] = tuple(kind for kind in Kind if kind not in CHANGED_AFTER_THE_END)
    """What happens to them."""
    seconds: float = 20.0
    """How long a disturbance lasts."""
    bound: float = 180.0
    """Seconds after its end within which all must be in order."""
    rest: float = 10.0
    """Seconds for which status writes at rest are counted."""
    quiet: float = 2.0
    """Seconds without a status write after which all are at rest."""
    kills: int = 1000
    """How often the operator is killed at a write, at most."""
    failovers: int = 20
    """How often another replica has to take over."""
    election: dict[str, float] = field(default_factory=dict)
    """The operator's setting `leader_election`."""


LONG = Scale()
# Without retries, as the Job controller waits 10 seconds before each.
_QUICK = tuple(kind for kind in Scale.kinds if kind is not Kind.Retried)
_TIMES = {"lease_duration_seconds": 3, "renew_deadline_seconds": 2.0, "retry_period_seconds": 0.4}
SHORT = Scale(
    jobs=8, kinds=_QUICK, seconds=2.0, bound=90.0, rest=0.5, quiet=0.5, kills=4, failovers=3, election=_TIMES
)


@dataclass
class Environment:
    """What a case of a sweep works with."""

    server: ApiServer
    api: client.ApiClient
    account: Path
    """Kubeconfig of the operator's service account."""
    scale: Scale
    rng: Random

    @contextmanager
    def workspace(self) -> Iterator[Workspace]:
        """A namespace for one case."""
        with open_workspace(self.server, self.api) as opened:
            yield opened

    @contextmanager
    def proxy(self, tls: ssl.SSLContext | None = None) -> Iterator[FaultyProxy]:
        """A proxy for the operator."""
        with faulty_proxy(self.server, self.rng.randrange(2**32), tls) as running:
            yield running

    @contextmanager
    def operator(self, proxy: FaultyProxy | None = None, **settings: object) -> Iterator[OperatorProcess]:
        """A running operator; keyword arguments are those of `OperatorProcess`."""
        account = proxy.kubeconfig(self.account) if proxy else self.account
        folder = Path(tempfile.mkdtemp(dir=self.server.folder, prefix="operator-"))
        process = OperatorProcess(folder, account, **settings)
        process.start()
        try:
            yield process
        finally:
            if process.is_running:
                process.kill()

    def mix(self) -> list[Kind]:
        """What happens to each job of a burst."""
        return mix(self.scale.kinds, self.scale.jobs, self.rng)

    def judge(self, burst: Burst, *operators: OperatorProcess, faults: int = 0) -> Counts:
        """Wait until all jobs are in order, or the time for that is up, and count."""
        burst.wait(burst.is_settled, self.scale.bound)
        at_rest = self.count_writes_at_rest(burst.workspace, self.scale.rest)
        counts = count((m.expected for m in burst.members.values()), self.find(burst))
        counts.faults, counts.writes_at_rest = faults, at_rest
        if at_rest:
            counts.evidence.append(f"writes at rest: {at_rest} in {self.scale.rest:.0f} s")
        for operator in operators:
            counts.add(find_defects(operator))
        return counts

    def find(self, burst: Burst) -> Found:
        """What the API server says about the jobs."""
        namespace = burst.workspace.namespace
        created = read_created_jobs(self.server.audit_log, namespace, OPERATOR) | burst.seen_jobs
        return Found(burst.statuses(), sorted(created), burst.events())

    def count_writes_at_rest(self, workspace: Workspace, seconds: float) -> int:
        """Status writes of all operators within some seconds, once they have settled, or after 30 seconds."""

        def written() -> int:
            return count_status_writes(self.server.audit_log, workspace.namespace, OPERATOR)

        deadline = time.monotonic() + 30
        before = -1
        while (now := written()) != before and time.monotonic() < deadline:
            before = now
            time.sleep(self.scale.quiet)
        before = written()
        time.sleep(seconds)
        return written() - before


def find_defects(operator: OperatorProcess) -> Counts:
    """Exceptions in an operator's log, and its unexpected end."""
    lines = operator.log.read_text(errors="replace").splitlines()
    evidence = [
        f"defect: {' | '.join(lines[number : number + 12])[:1500]}"
        for number, line in enumerate(lines)
        if any(text in line for text in DEFECTS)
    ]
    if not operator.is_running:
        evidence.append(f"defect: the operator exited: {' | '.join(lines[-5:])[:1500]}")
    return Counts(defects=len(evidence), evidence=evidence[:5])


@contextmanager
def running_environment(scale: Scale) -> Iterator[Environment]:
    """Start an API server with an audit log, and install the operator's account."""
    with running_api_server(CRDS, audit_policy=POLICY) as server:
        account = install_account(server)
        with config.new_client_from_config(str(server.kubeconfig)) as api:
            yield Environment(server, api, account, scale, Random(0))
