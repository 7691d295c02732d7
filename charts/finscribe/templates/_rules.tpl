{{/* Generated from finscribe_operator/permissions.py by `make generate`. */}}
{{- define "finscribe.rules" -}}
# what is to be trained; experiments are made, too
- apiGroups: [finscribe.io]
  resources: [finetunejobs]
  verbs: [list, watch, get, create, patch, delete]
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
  verbs: [list, watch, get, create, patch, delete]
# why a run waits, and where its progress is asked for
- apiGroups: ['']
  resources: [pods]
  verbs: [list, watch]
# a run's configuration
- apiGroups: ['']
  resources: [configmaps]
  verbs: [get, create, patch, delete]
# a run's address
- apiGroups: ['']
  resources: [services]
  verbs: [get, create, patch, delete]
# a job's story, for `kubectl describe`
- apiGroups: ['']
  resources: [events]
  verbs: [create]
{{- end }}
