{{/* Generated from finscribe_operator/permissions.py by `make generate`. */}}
{{- define "finscribe.rules.namespace" -}}
# what is to be trained
- apiGroups: [finscribe.io]
  resources: [finetunejobs]
  verbs: [get, list, watch]
# the only part of a job the operator writes
- apiGroups: [finscribe.io]
  resources: [finetunejobs/status]
  verbs: [get, patch]
# to own children where owner references are checked
- apiGroups: [finscribe.io]
  resources: [finetunejobs/finalizers]
  verbs: [update]
# one for each run
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create, patch, delete]
# why a run waits, and where its progress is asked for
- apiGroups: ['']
  resources: [pods]
  verbs: [get, list, watch]
# a run's configuration
- apiGroups: ['']
  resources: [configmaps]
  verbs: [get, create, patch]
# a run's address
- apiGroups: ['']
  resources: [services]
  verbs: [get, create, patch]
# news for `kubectl describe`
- apiGroups: ['']
  resources: [events]
  verbs: [create, patch]
{{- end }}
{{- define "finscribe.rules.cluster" -}}
# to notice the FineTuneJob kind when it is installed after the operator
- apiGroups: [apiextensions.k8s.io]
  resources: [customresourcedefinitions]
  verbs: [list, watch]
{{- end }}
