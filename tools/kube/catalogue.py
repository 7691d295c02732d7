"""Lists the programs of a cluster: their Go modules, versions and build options."""

from dataclasses import dataclass
from pathlib import Path

KUBERNETES_VERSION = "v1.36.3"
KUBERNETES_MODULE = "k8s.io/kubernetes"
VERSITYGW_MODULE = "github.com/versity/versitygw"


@dataclass(frozen=True)
class Tool:
    """A program that can be built from a Go module."""

    name: str
    module: str
    version: str
    """That is built, such as `v1.36.3`."""
    package: str
    """Import path of its main package."""
    ldflags: str = "-s -w"
    version_arguments: tuple[str, ...] = ("--version",)
    """Arguments that make it print its version."""
    source: Path | None = None
    """The main package's file, if it is one of this repository that uses the module."""

    @property
    def in_kubernetes(self) -> bool:
        """True for Kubernetes' own commands, whose module needs its staging modules replaced."""
        return self.module == KUBERNETES_MODULE

    @property
    def minor_version(self) -> str:
        """Major and minor version, such as `1.36`, that an installed program needs to be used instead."""
        return ".".join(self.version.removeprefix("v").split(".")[:2])


def _kubernetes(name: str, *version_arguments: str) -> Tool:
    return Tool(
        name,
        KUBERNETES_MODULE,
        KUBERNETES_VERSION,
        f"{KUBERNETES_MODULE}/cmd/{name}",
        f"-s -w -X k8s.io/component-base/version.gitVersion={KUBERNETES_VERSION}",
        version_arguments or ("--version",),
    )


TOOLS = {
    tool.name: tool
    for tool in (
        _kubernetes("kube-apiserver"),
        _kubernetes("kube-controller-manager"),
        _kubernetes("kube-scheduler"),
        _kubernetes("kubelet"),
        _kubernetes("kube-proxy"),
        _kubernetes("kubectl", "version", "--client"),
        Tool("etcd", "go.etcd.io/etcd/server/v3", "v3.6.6", "go.etcd.io/etcd/server/v3"),
        Tool("coredns", "github.com/coredns/coredns", "v1.15.0", "github.com/coredns/coredns"),
        Tool(
            "helm",
            "helm.sh/helm/v3",
            "v3.22.0",
            "helm.sh/helm/v3/cmd/helm",
            version_arguments=("version", "--short"),
        ),
        Tool(
            "actionlint",
            "github.com/rhysd/actionlint",
            "v1.7.12",
            "github.com/rhysd/actionlint/cmd/actionlint",
            version_arguments=("-version",),
        ),
        Tool(
            "kubeconform",
            "github.com/yannh/kubeconform",
            "v0.8.0",
            "github.com/yannh/kubeconform/cmd/kubeconform",
            version_arguments=("-v",),
        ),
        Tool("versitygw", VERSITYGW_MODULE, "v1.8.0", f"{VERSITYGW_MODULE}/cmd/versitygw"),
        Tool(
            "kueue",
            "sigs.k8s.io/kueue",
            "v0.17.0",
            "sigs.k8s.io/kueue/pkg/controller/core",
            source=Path(__file__).parent / "kueue_jobs" / "main.go",
        ),
        Tool(
            "trainer-controller-manager",
            "github.com/kubeflow/trainer/v2",
            "v2.3.0",
            "github.com/kubeflow/trainer/v2/cmd/trainer-controller-manager",
        ),
        Tool("jobset", "sigs.k8s.io/jobset", "v0.12.0", "sigs.k8s.io/jobset"),
        Tool(
            "kstatus",
            "sigs.k8s.io/cli-utils",
            "v0.37.2",
            "sigs.k8s.io/cli-utils/pkg/kstatus/status",
            source=Path(__file__).parent / "kstatus" / "main.go",
        ),
    )
}

CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kubectl")
"""What the API server for tests needs."""
CLUSTER = (*CONTROL_PLANE, "kube-scheduler", "kubelet", "kube-proxy", "coredns", "helm", "versitygw")
"""What a cluster needs, and what the end-to-end tests use with it."""
