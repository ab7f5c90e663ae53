{{- define "payouts.name" -}}
{{ .root.Release.Name }}-{{ .process }}
{{- end }}

{{- define "payouts.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .process }}
{{- end }}

{{- define "payouts.labels" -}}
{{ include "payouts.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{- define "payouts.metadata" -}}
name: {{ include "payouts.name" . }}
labels: {{ include "payouts.labels" . | nindent 2 }}
{{- end }}

{{/* No root, no privileges, no token of the cluster. The group of the files is the program's. */}}
{{- define "payouts.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with .root.Values.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "payouts.podMetadata" -}}
labels: {{ include "payouts.labels" . | nindent 2 }}
{{- with .root.Values.podAnnotations }}
annotations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* On different machines, as far as there are some. */}}
{{- define "payouts.spread" -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{ include "payouts.selector" . | nindent 8 }}
{{- end }}

{{/* image: the program; the process's name, unless it is another program's. */}}
{{- define "payouts.container" -}}
name: {{ .process }}
image: {{ printf "%s/%s:%s" .root.Values.image.registry (.image | default .process) (.root.Values.image.tag | default .root.Chart.AppVersion) }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{/*
A process listens for probes once it has reached the database and Temporal. It waits a minute
for each, then ends and is started again.
*/}}
{{- define "payouts.probes" -}}
startupProbe:
  httpGet: {path: /healthz, port: admin}
  periodSeconds: 2
  failureThreshold: 120
livenessProbe:
  httpGet: {path: /healthz, port: admin}
  periodSeconds: 10
  timeoutSeconds: 3
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readyz, port: admin}
  periodSeconds: 5
  timeoutSeconds: 4
{{- end }}

{{/* New connections go elsewhere before it stops to listen. */}}
{{- define "payouts.leave" -}}
lifecycle:
  preStop:
    sleep: {seconds: 5}
{{- end }}
