"""Jobs within and beyond limits: the operator and the API server must give the same verdict on each."""

from finscribe_operator.limits import Limits
from finscribe_operator.objects import Object

NAMESPACE = "team"


def with_key(label: str) -> Object:
    """A condition that a node has a label."""
    return {"key": label, "operator": "Exists"}


def a_volume(**source: Object) -> Object:
    """A change that mounts a volume."""
    mount = {"name": "a", "mountPath": "/mnt/a"}
    return {"pod": {"volumes": [{"name": "a", **source}], "volumeMounts": [mount]}}


LIMITS = Limits.model_validate(
    {
        "images": ["registry.example.org/finscribe/*"],
        "buckets": ["s3://{namespace}-docs/*", "s3://{namespace}-models/*"],
        "endpoints": ["https://s3.example.org"],
        "serviceAccounts": ["finscribe-trainer"],
        "secrets": ["s3-*"],
        "imagePullSecrets": ["registry"],
        "persistentVolumeClaims": ["features-*"],
        "priorityClasses": ["batch-*"],
        "queues": ["team-*"],
        "queuePriorityClasses": ["batch"],
        "runtimeClasses": [],
        "labels": ["example.org/*"],
        "annotations": ["example.org/*"],
        "nodeSelectors": ["example.org/pool"],
        "tolerations": ["nvidia.com/gpu"],
        "gpuResourceNames": ["nvidia.com/gpu"],
        "gpus": 8,
        "gpusPerNamespace": 4,
        "cpu": "32",
        "memory": "256Gi",
        "scratch": "1Ti",
        "configMaps": ["ca"],
        "topologyKeys": ["kubernetes.io/hostname"],
        "schedulers": ["batch"],
        "env": ["HTTPS_PROXY", "TOKEN"],
        "hostAddresses": ["10.0.*"],
        "extendedResources": ["rdma/hca"],
        "models": ["hf://PaddlePaddle/*", "/models/*"],
        "activeDeadlineSeconds": 86400,
    }
)
ALLOWED: Object = {
    "model": {"source": "hf://PaddlePaddle/PaddleOCR-VL"},
    "dataset": {"train": "s3://team-docs/train.jsonl"},
    "output": {"uri": "s3://team-models"},
    "image": "registry.example.org/finscribe/trainer:0.1.0",
    "activeDeadlineSeconds": 86400,
    "queueName": "team-gpus",
    "queuePriorityClass": "batch",
    "storage": {"endpoint": "https://s3.example.org", "credentialsSecretRef": {"name": "s3-credentials"}},
    "featureCache": {"persistentVolumeClaim": {"name": "features-1"}},
    "resources": {
        "gpus": 4,
        "cpu": "32000m",
        "memory": "256Gi",
        "scratch": "1024Gi",
        "extended": {"rdma/hca": 1},
    },
    "pod": {
        "env": [
            {"name": "HTTPS_PROXY", "value": "http://proxy"},
            {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "s3-token", "key": "token"}}},
        ],
        "volumes": [
            {"name": "data", "persistentVolumeClaim": {"claimName": "features-2"}},
            {"name": "image", "image": {"reference": "registry.example.org/finscribe/model:1"}},
            {"name": "ca", "configMap": {"name": "ca"}},
            {"name": "empty", "emptyDir": {"sizeLimit": "1Gi"}},
        ],
        "volumeMounts": [
            {"name": name, "mountPath": f"/mnt/{name}"} for name in ("data", "image", "ca", "empty")
        ],
        "affinity": {
            "nodeAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [
                    {"weight": 1, "preference": {"matchExpressions": [with_key("example.org/pool")]}}
                ]
            },
            "podAntiAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": [
                    {"labelSelector": {}, "topologyKey": "kubernetes.io/hostname"}
                ]
            },
        },
        "schedulerName": "batch",
        "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["s3.example.org"]}],
        "dnsConfig": {"nameservers": ["10.0.0.2"]},
        "labels": {"example.org/team": "a"},
        "annotations": {"example.org/note": "b"},
        "nodeSelector": {"example.org/pool": "gpu"},
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
        "priorityClassName": "batch-low",
        "imagePullSecrets": [{"name": "registry"}],
    },
}

WITHIN: dict[str, Object] = {
    "all fields at their limits": {},
    "a model in the image": {"model": {"source": "/models/PaddleOCR-VL"}},
    "a model in a bucket": {"model": {"source": "s3://team-models/base"}},
    "a folder without '/' at its end": {
        "dataset": {"train": "s3://team-docs/a", "imageRoot": "s3://team-docs"}
    },
    "no image of its own": {"image": None},
    "no volumes, labels and nodes": {"featureCache": {}, "pod": {}},
}
"""Changes of the allowed job that are allowed, too; None removes a field."""
EXCESSES: dict[str, tuple[Object, list[str]]] = {
    "an image": ({"image": "registry.attacker.example/a:1"}, ["spec.image", "images"]),
    "an image that begins alike": (
        {"image": "registry.example.org.attacker.example/finscribe/a"},
        ["spec.image", "images"],
    ),
    "another team's documents": (
        {"dataset": {"train": "s3://other-docs/a.jsonl"}},
        ["spec.dataset.train", "buckets"],
    ),
    "another team's test set": (
        {"dataset": {"train": "s3://team-docs/a.jsonl", "test": "s3://other/a"}},
        ["spec.dataset.test", "buckets"],
    ),
    "a bucket that begins alike": (
        {"output": {"uri": "s3://team-models-of-mallory/loot"}},
        ["spec.output.uri", "buckets"],
    ),
    "a path out of the bucket's prefix": (
        {"dataset": {"train": "s3://team-docs/../other-docs/a.jsonl"}},
        ["spec.dataset.train", "buckets"],
    ),
    "a model of another bucket": (
        {"model": {"source": "s3://other/model"}},
        ["spec.model.source", "buckets"],
    ),
    "an adapter of another bucket": (
        {"model": {"source": "/models/PaddleOCR-VL", "adapter": "s3://other/latest.json"}},
        ["spec.model.adapter", "buckets"],
    ),
    "the metadata service as endpoint": (
        {"storage": {"endpoint": "http://169.254.169.254/latest"}},
        ["spec.storage.endpoint", "endpoints"],
    ),
    "an adapter of another team": (
        {"model": {"source": "hf://PaddlePaddle/PaddleOCR-VL", "adapter": "s3://other/latest.json"}},
        ["spec.model.adapter: s3://other/latest.json", "buckets"],
    ),
    "certificates": (
        {"storage": {"caBundle": {"configMapName": "mine"}}},
        ["spec.storage.caBundle.configMapName: mine", "configMaps"],
    ),
    "a Secret in the environment": (
        {"pod": {"env": [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "root", "key": "a"}}}]}},
        ["spec.pod.env: root", "secrets"],
    ),
    "a ConfigMap in the environment": (
        {"pod": {"env": [{"name": "TOKEN", "valueFrom": {"configMapKeyRef": {"name": "b", "key": "a"}}}]}},
        ["spec.pod.env: b", "configMaps"],
    ),
    "an environment variable": (
        {"pod": {"env": [{"name": "LD_PRELOAD", "value": "/data/mine.so"}]}},
        ["spec.pod.env: LD_PRELOAD", "env"],
    ),
    "a Secret as a volume": (
        a_volume(secret={"secretName": "payments"}),
        ["spec.pod.volumes: payments", "secrets"],
    ),
    "a ConfigMap as a volume": (
        a_volume(configMap={"name": "settings"}),
        ["spec.pod.volumes: settings", "configMaps"],
    ),
    "another volume": (
        a_volume(persistentVolumeClaim={"claimName": "data-postgres-0"}),
        ["spec.pod.volumes: data-postgres-0", "persistentVolumeClaims"],
    ),
    "an image as a volume": (
        a_volume(image={"reference": "registry.attacker.example/a:1"}),
        ["spec.pod.volumes: registry.attacker.example/a:1", "images"],
    ),
    "a scheduler": ({"pod": {"schedulerName": "mine"}}, ["spec.pod.schedulerName: mine", "schedulers"]),
    "an address for a host name": (
        {"pod": {"hostAliases": [{"ip": "169.254.169.254", "hostnames": ["s3.example.org"]}]}},
        ["spec.pod.hostAliases: 169.254.169.254", "hostAddresses"],
    ),
    "a name server": (
        {"pod": {"dnsConfig": {"nameservers": ["10.0.0.2", "8.8.8.8"]}}},
        ["spec.pod.dnsConfig.nameservers: 8.8.8.8", "hostAddresses"],
    ),
    "a node, by a required term of the affinity": (
        {
            "pod": {
                "affinity": {
                    "nodeAffinity": {
                        "requiredDuringSchedulingIgnoredDuringExecution": {
                            "nodeSelectorTerms": [
                                {"matchExpressions": [with_key("example.org/pool")]},
                                {"matchExpressions": [with_key("example.org/pool"), with_key("control")]},
                            ]
                        }
                    }
                }
            }
        },
        ["spec.pod.affinity", "control", "nodeSelectors"],
    ),
    "a node, by a preferred term of the affinity": (
        {
            "pod": {
                "affinity": {
                    "nodeAffinity": {
                        "preferredDuringSchedulingIgnoredDuringExecution": [
                            {"weight": 1, "preference": {"matchExpressions": [with_key("control")]}}
                        ]
                    }
                }
            }
        },
        ["spec.pod.affinity", "control", "nodeSelectors"],
    ),
    "a zone of its own": (
        {
            "pod": {
                "affinity": {
                    "podAntiAffinity": {
                        "requiredDuringSchedulingIgnoredDuringExecution": [
                            {"labelSelector": {}, "topologyKey": "topology.kubernetes.io/zone"}
                        ]
                    }
                }
            }
        },
        ["spec.pod.affinity", "topology.kubernetes.io/zone", "topologyKeys"],
    ),
    "another extended resource": (
        {"resources": {"extended": {"amd.com/gpu": 8}}},
        ["spec.resources.extended: amd.com/gpu", "extendedResources"],
    ),
    "a service account": (
        {"storage": {"serviceAccountName": "payments-prod"}},
        ["spec.storage.serviceAccountName", "serviceAccounts"],
    ),
    "a Secret of the storage": (
        {"storage": {"credentialsSecretRef": {"name": "payments"}}},
        ["spec.storage.credentialsSecretRef", "secrets"],
    ),
    "a Secret of an experiment tracker": (
        {
            "training": {"reportTo": ["wandb"]},
            "reporting": {"wandbSecretRef": {"name": "other-teams-wandb"}},
        },
        ["spec.reporting.wandbSecretRef", "secrets"],
    ),
    "a volume for downloads": (
        {"cache": {"persistentVolumeClaim": {"name": "data-postgres-0"}}},
        ["spec.cache.persistentVolumeClaim", "persistentVolumeClaims"],
    ),
    "a volume": (
        {"featureCache": {"persistentVolumeClaim": {"name": "data-postgres-0"}}},
        ["spec.featureCache.persistentVolumeClaim", "persistentVolumeClaims"],
    ),
    "a pull secret": (
        {"pod": {"imagePullSecrets": [{"name": "registry"}, {"name": "other"}]}},
        ["spec.pod.imagePullSecrets: other", "imagePullSecrets"],
    ),
    "a priority class": (
        {"pod": {"priorityClassName": "system-node-critical"}},
        ["spec.pod.priorityClassName", "priorityClasses"],
    ),
    "a queue": ({"queueName": "other-gpus"}, ["spec.queueName: other-gpus", "queues"]),
    "a priority in the queue": (
        {"queuePriorityClass": "urgent"},
        ["spec.queuePriorityClass: urgent", "queuePriorityClasses"],
    ),
    "a runtime class": ({"pod": {"runtimeClassName": "kata"}}, ["spec.pod.runtimeClassName", "(none)"]),
    "a label": (
        {"pod": {"labels": {"example.org/team": "a", "azure.workload.identity/use": "true"}}},
        ["spec.pod.labels: azure.workload.identity/use", "labels"],
    ),
    "an annotation": (
        {"pod": {"annotations": {"vault.hashicorp.com/agent-inject": "true"}}},
        ["spec.pod.annotations: vault.hashicorp.com/agent-inject", "annotations"],
    ),
    "a node": (
        {"pod": {"nodeSelector": {"node-role.kubernetes.io/control-plane": ""}}},
        ["spec.pod.nodeSelector: node-role.kubernetes.io/control-plane", "nodeSelectors"],
    ),
    "every taint": (
        {"pod": {"tolerations": [{"operator": "Exists"}]}},
        ["spec.pod.tolerations: a toleration of every key", "tolerations"],
    ),
    "a device": (
        {"resources": {"gpuResourceName": "devices.kubevirt.io/kvm"}},
        ["spec.resources.gpuResourceName", "gpuResourceNames"],
    ),
    "images outside the rows' folder": (
        {"dataset": {"train": "s3://team-docs/a.jsonl", "imageRoot": "s3://other-docs"}},
        ["spec.dataset.imageRoot", "buckets"],
    ),
    "a model of another owner": (
        {"model": {"source": "hf://mallory/PaddlePaddle"}},
        ["spec.model.source", "models"],
    ),
    "the built-in model, which the list does not name": (
        {"model": {"source": "finscribe/tiny-ocr-vl"}},
        ["spec.model.source", "models"],
    ),
    "a path out of the models' folder": (
        {"model": {"source": "/models/../var/run/secrets"}},
        ["spec.model.source", "models"],
    ),
    "a later deadline": (
        {"activeDeadlineSeconds": 86401},
        ["spec.activeDeadlineSeconds: 86401", "activeDeadlineSeconds (86400)"],
    ),
    "no deadline": (
        {"activeDeadlineSeconds": None},
        ["spec.activeDeadlineSeconds: unlimited", "activeDeadlineSeconds (86400)"],
    ),
    "GPUs": ({"resources": {"gpus": 9}}, ["spec.resources.gpus: 9", "gpus (8)"]),
    "more GPUs than the namespace has": (
        {"resources": {"gpus": 5}},
        ["spec.resources.gpus: 5", "gpusPerNamespace (4)"],
    ),
    "more GPUs than the namespace has, on all nodes together": (
        {"resources": {"gpus": 2, "nodes": 3}},
        ["spec.resources.gpus: 2", "gpusPerNamespace (4)"],
    ),
    "CPUs": ({"resources": {"cpu": "32001m"}}, ["spec.resources.cpu: 32001m", "cpu (32)"]),
    "memory": ({"resources": {"memory": "64Ti"}}, ["spec.resources.memory: 64Ti", "memory (256Gi)"]),
    "scratch": ({"resources": {"scratch": "900Ti"}}, ["spec.resources.scratch: 900Ti", "scratch (1Ti)"]),
    "a model in another registry": (
        {"model": {"source": "oci://registry.attacker.example/a:1"}},
        ["spec.model.source", "models"],
    ),
    "a Secret of the hub": (
        {
            "model": {
                "source": "hf://PaddlePaddle/PaddleOCR-VL",
                "tokenSecretRef": {"name": "other-teams-token"},
            }
        },
        ["spec.model.tokenSecretRef", "secrets"],
    ),
}


def with_changes(change: Object) -> Object:
    """The spec of the allowed job, with some fields replaced; None removes one."""
    return {name: value for name, value in (ALLOWED | change).items() if value is not None}
