"""A sweep in which the operator's token and the API server's certificate authority are replaced."""

import ssl
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.apiserver.faulty_proxy import FaultyProxy
from tests.apiserver.installation import SYSTEM_NAMESPACE
from tests.apiserver.pod_account import PodAccount
from tests.sweeps.burst import Burst
from tests.sweeps.counts import Counts
from tests.sweeps.environment import Environment
from tools.kube.certificates import Certificates

NUM_REPLACED = 3


def revoke_tokens(environment: Environment) -> Counts:
    """New tokens are written, and those before are revoked at once, instead of minutes later."""

    def revoke(account: PodAccount, _: FaultyProxy, __: list[Certificates]) -> None:
        account.replace_token()

    return _replace(environment, revoke)


def replace_authorities(environment: Environment) -> Counts:
    """Authorities of which one is new are written, and the API server gets a certificate of the new one."""

    def replace(account: PodAccount, proxy: FaultyProxy, authorities: list[Certificates]) -> None:
        authorities.append(_make_authority(environment))
        account.write("ca.crt", "".join(authority.ca.read_text() for authority in authorities[-2:]))
        proxy.replace_certificate(_server_side(authorities[-1]))

    return _replace(environment, replace)


def _replace(
    environment: Environment, replace: Callable[[PodAccount, FaultyProxy, list[Certificates]], None]
) -> Counts:
    first = _make_authority(environment)
    authorities = [first]
    with environment.workspace() as workspace, environment.proxy(_server_side(first)) as proxy:
        burst = Burst(workspace, environment.mix())
        selector = "--selector=app.kubernetes.io/name"
        name = environment.server.kubectl(
            *("get", "serviceaccounts", f"--namespace={SYSTEM_NAMESPACE}", selector),
            "--output=jsonpath={.items[0].metadata.name}",
        )
        folder = first.folder.parent / "account"
        account = PodAccount(folder, environment.server, SYSTEM_NAMESPACE, name, first.ca.read_text())
        env = {
            "KUBECONFIG": "",
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": str(proxy.port),
        }
        with environment.operator(env=env, wrapper=account.wrapper) as operator, burst.playing():
            for _ in range(NUM_REPLACED):
                time.sleep(environment.rng.uniform(0.1, environment.scale.seconds / NUM_REPLACED))
                replace(account, proxy, authorities)
            return environment.judge(burst, operator, faults=NUM_REPLACED)


def _make_authority(environment: Environment) -> Certificates:
    """An authority, and a certificate of it for a server on this machine."""
    folder = tempfile.mkdtemp(dir=environment.server.folder, prefix="authority-")
    certificates = Certificates(Path(folder) / "pki")
    certificates.make_authority()
    certificates.issue_server("server", "/CN=kube-apiserver", "IP:127.0.0.1")
    return certificates


def _server_side(certificates: Certificates) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.crt("server"), certificates.key("server"))
    return context
