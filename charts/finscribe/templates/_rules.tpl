{{/* Generated from finscribe_operator/permissions.py by `make generate`. */}}
{{- define "finscribe.rules" -}}
# the jobs; those of experiments are created
- apiGroups: [finscribe.io]
  resources: [finetunejobs]
  verbs: [list, watch, get, create, delete, patch]
# the only part of a job the operator writes
- apiGroups: [finscribe.io]
  resources: [finetunejobs/status]
  verbs: [patch]
# to own children where owner references are checked
- apiGroups: [finscribe.io]
  resources: [finetunejobs/finalizers]
  verbs: [update]
# one for each run
- apiGroups: [batch]
  resources: [jobs]
  verbs: [list, watch, get, create, delete, patch]
# why a run waits, and the address of its /progress
- apiGroups: ['']
  resources: [pods]
  verbs: [list, watch]
# a run's configuration
- apiGroups: ['']
  resources: [configmaps]
  verbs: [get, create, delete]
# the names by which a run's pods find each other
- apiGroups: ['']
  resources: [services]
  verbs: [get, create, delete]
# Events of a job, for `kubectl describe`
- apiGroups: ['']
  resources: [events]
  verbs: [create]
# why a pod can't be created or started, which only Events say
- apiGroups: ['']
  resources: [events]
  verbs: [list]
# what a run in a queue waits for; to suspend it and to resume it
- apiGroups: [kueue.x-k8s.io]
  resources: [workloads]
  verbs: [list, patch]
{{- if .Values.operator.config.policies }}
# labels that policies select a namespace by
- apiGroups: ['']
  resources: [namespaces]
  verbs: [get]
{{- end }}
{{- end }}
{{- define "finscribe.ownRules" -}}
# the Lease of the replica that works
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [get, update]
  resourceNames: [{{ include "finscribe.name" . }}]
# the same, if it was deleted
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
{{- end }}
