"""Installs what the operator needs on an API server: the CRD, an account with the RBAC rules of the chart."""

import json
import subprocess
from pathlib import Path
from typing import Any

import yaml

from tools.kube.apiserver import ApiServer
from tools.kube.binaries import provide
from tools.kube.catalogue import KUBERNETES_VERSION

ROOT = Path(__file__).parents[2]
CRDS = sorted((ROOT / "crds").glob("finscribe.io_*.yaml"))
RELEASE = "finscribe"
SYSTEM_NAMESPACE = "finscribe-system"
KINDS = ("ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "Lease")


def install_account(server: ApiServer, *values: str, namespace: str = SYSTEM_NAMESPACE) -> Path:
    """Kubeconfig of a service account with the RBAC rules of the chart, rendered with some values, only; and
    its Lease.
    """
    objects = [made for made in render_chart(*values, namespace=namespace) if made["kind"] in KINDS]
    server.kubectl("apply", "--filename=-", stdin=json.dumps(_namespace(namespace)))
    server.kubectl("apply", "--filename=-", stdin=yaml.safe_dump_all(objects))
    account = next(d["metadata"]["name"] for d in objects if d["kind"] == "ServiceAccount")
    return server.kubeconfig_of_service_account(namespace, account)


def render_chart(
    *values: str, namespace: str = SYSTEM_NAMESPACE, options: tuple[str, ...] = ()
) -> list[dict[str, Any]]:
    """The objects of the chart, with some values set, and with other options of helm."""
    helm = provide(["helm"])["helm"]
    command = ["template", RELEASE, str(ROOT / "charts/finscribe"), f"--namespace={namespace}"]
    command += [f"--kube-version={KUBERNETES_VERSION}", *(f"--set={value}" for value in values), *options]
    rendered = subprocess.run([str(helm), *command], capture_output=True, text=True, check=True).stdout
    return [made for made in yaml.safe_load_all(rendered) if made]


def _namespace(name: str) -> dict:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
