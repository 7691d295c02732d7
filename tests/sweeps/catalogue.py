"""Lists the sweeps and their cases."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.sweeps import clock, credentials, disturbances, hands, hostile, replicas, versions, writes
from tests.sweeps.counts import Counts
from tests.sweeps.environment import Environment

Case = Callable[[Environment], Counts]


@dataclass(frozen=True)
class Sweep:
    """Cases of one kind of disturbance."""

    name: str
    what: str
    """What it does to an operator, for help and documentation."""
    cases: dict[str, Case]
    num_seeds: int = 1
    """How many seeds it is run with by default."""


SWEEPS = (
    Sweep(
        "requests",
        "a fifth of the requests fails: 409, 422, 429, 500, 503, 504, the connection closed before or "
        "after the server has done what was requested, a body that ends too early; some hang",
        {"a fifth fails": disturbances.fail_requests},
        num_seeds=3,
    ),
    Sweep(
        "watches",
        "watches end after random times, or are accepted and deliver nothing",
        {
            "all end": disturbances.drop_watches,
            "all are silent": disturbances.stall_watches,
            "that of pods is silent": disturbances.stall_pod_watches,
        },
    ),
    Sweep(
        "kills",
        "a process is killed (SIGKILL) three times, and started again",
        {
            "operator": disturbances.kill_operator,
            "API server": disturbances.kill_api_server,
            "etcd": disturbances.kill_etcd,
            "controller manager": disturbances.kill_controller_manager,
        },
    ),
    Sweep(
        "writes",
        "the operator is killed at every single write in the lives of nine jobs; some are retried by the "
        "annotation, triggered again, or rolled back to an earlier run",
        {"before each": writes.kill_before_each, "after each": writes.kill_after_each},
    ),
    Sweep(
        "rights",
        "the operator's ClusterRoleBinding is deleted for a while",
        {"deleted": disturbances.take_rights},
    ),
    Sweep(
        "credentials",
        "the certificate authority of the API server is replaced three times, or the operator's token is "
        "revoked, after new files were written",
        {"authority": credentials.replace_authorities, "token": credentials.revoke_tokens},
    ),
    Sweep(
        "clock",
        "the operator's clock is three days off; times in statuses and Events must be the server's",
        {"three days slow": clock.slow_clock, "three days fast": clock.fast_clock},
    ),
    Sweep(
        "hands",
        "children and statuses are edited and deleted by hand, something else for each job",
        {"while it runs": hands.while_it_runs, "after its end": hands.after_its_end},
    ),
    Sweep(
        "hostile",
        "beside each running job others put an object that looks like one of its own or is absurd, or they "
        "change one of its own so; in another namespace there are hostile FineTuneJobs",
        {"objects of others": hostile.others_objects},
    ),
    Sweep(
        "upgrade",
        "an operator with every default changed takes over 10 finished jobs for each running one",
        {"other defaults": versions.upgrade},
    ),
    Sweep(
        "replicas",
        "of two replicas, the one that works is killed, stopped, or frozen for longer than its Lease is "
        "valid, 20 times while jobs are created",
        {"failovers": replicas.fail_over},
    ),
    Sweep(
        "two-versions",
        "two operators at once, without a Lease, of which one has other words in its messages",
        {"other words": versions.two_operators},
    ),
)
