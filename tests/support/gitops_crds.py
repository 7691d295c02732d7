"""Finds the CRDs of Argo CD and Flux, which are files of their Go modules."""

from collections.abc import Iterator
from pathlib import Path

from tools.kube.golang import find_go, find_module

_FILES = {
    ("github.com/argoproj/argo-cd/v3", "v3.2.0"): "manifests/crds/application-crd.yaml",
    ("github.com/fluxcd/source-controller", "v1.7.0"): "config/crd/bases/*_gitrepositories.yaml",
    ("github.com/fluxcd/helm-controller", "v1.4.0"): "config/crd/bases/*_helmreleases.yaml",
    ("github.com/fluxcd/kustomize-controller", "v1.7.3"): "config/crd/bases/*_kustomizations.yaml",
}


def gitops_crds() -> Iterator[Path]:
    """Files with the definitions of Application, GitRepository, HelmRelease and Kustomization."""
    for module, pattern in _FILES.items():
        yield from find_module(find_go(), *module).glob(pattern)
