{{- define "finscribe.name" -}}
{{ printf "%s-operator" .Release.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "finscribe.selectorLabels" -}}
app.kubernetes.io/name: finscribe
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end }}

{{- define "finscribe.labels" -}}
{{ include "finscribe.selectorLabels" . }}
{{ include "finscribe.chartLabels" . }}
{{- end }}

{{- define "finscribe.ui.name" -}}
{{ printf "%s-ui" .Release.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "finscribe.ui.selectorLabels" -}}
app.kubernetes.io/name: finscribe
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: ui
{{- end }}

{{- define "finscribe.ui.labels" -}}
{{ include "finscribe.ui.selectorLabels" . }}
{{ include "finscribe.chartLabels" . }}
{{- end }}

{{- define "finscribe.chartLabels" -}}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{/* Labels of the pods of all runs. */}}
{{- define "finscribe.runLabels" -}}
app.kubernetes.io/managed-by: finscribe-operator
app.kubernetes.io/component: trainer
{{- end }}

{{/* The egress rule for name servers. Takes: the value networkPolicy. */}}
{{- define "finscribe.toNameServers" -}}
- to:
    {{- toYaml .nameServers | nindent 4 }}
  ports:
    - {protocol: UDP, port: 53}
    - {protocol: TCP, port: 53}
{{- end }}
