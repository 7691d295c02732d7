{{/*
A CEL expression: a setting's value in the namespace of the job. It is that of the last policy that selects the
namespace and sets it, else the global one, else `default`; null when there is none.
Takes: config; section, `limits` or `defaults`; path, the keys below it; default; as, `value`, `patterns` (regular
expressions) or `text` (for messages).
*/}}
{{- define "finscribe.inNamespace" -}}
{{- $found := list }}
{{- range $source := concat (list .config) (.config.policies | default list) }}
{{- $value := get $source $.section | default dict }}
{{- range $.path }}
{{- $value = ternary (dict "of" $value) dict (kindIs "map" $value) | dig "of" . nil }}
{{- end }}
{{- $found = append $found $value }}
{{- end }}
{{- $cel := "null" }}
{{- range $index, $value := $found }}
{{- if and (eq $index 0) (kindIs "invalid" $value) }}{{- $value = $.default }}{{- end }}
{{- if not (kindIs "invalid" $value) }}
{{- $literal := include "finscribe.literal" (dict "value" $value "as" $.as) }}
{{- if $index }}
{{- $cel = printf "variables.policy%d ? dyn(%s) : dyn(%s)" $index $literal $cel }}
{{- else }}
{{- $cel = $literal }}
{{- end }}
{{- end }}
{{- end }}
{{- $cel }}
{{- end }}

{{/* A CEL literal. In patterns `*` stands for any characters, and `{namespace}` is replaced by CEL. */}}
{{- define "finscribe.literal" -}}
{{- if eq .as "patterns" }}
{{- $expressions := list }}
{{- range .value }}
{{- $quoted := regexQuoteMeta . | replace `\*` ".*" | replace `\{namespace\}` "{namespace}" }}
{{- $expressions = append $expressions (printf "(?s)^%s$" $quoted) }}
{{- end }}
{{- $expressions | toJson }}
{{- if contains "{namespace}" ($expressions | toJson) }}.map(p, p.replace("{namespace}", request.namespace)){{ end }}
{{- else if eq .as "text" }}
{{- $text := ternary (.value | join ", ") (.value | toJson | trimAll `"`) (kindIs "slice" .value) }}
{{- $text | trunc 200 | default "none" | toJson }}
{{- else }}
{{- .value | toJson }}
{{- end }}
{{- end }}
