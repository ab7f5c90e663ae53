{{- define "payouts.service" -}}
apiVersion: v1
kind: Service
metadata: {{ include "payouts.metadata" . | nindent 2 }}
spec:
  ports:
    - {name: http, port: {{ .port }}, targetPort: http}
  selector: {{ include "payouts.selector" . | nindent 4 }}
{{- end }}

{{- define "payouts.budget" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {{ include "payouts.metadata" . | nindent 2 }}
spec:
  maxUnavailable: 1
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels: {{ include "payouts.selector" . | nindent 6 }}
{{- end }}

{{- define "payouts.byCPU" -}}
{{- if .scale.enabled }}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {{ include "payouts.metadata" . | nindent 2 }}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: {{ include "payouts.name" . }}}
  minReplicas: {{ .scale.min }}
  maxReplicas: {{ .scale.max }}
  metrics:
    - type: Resource
      resource: {name: cpu, target: {type: Utilization, averageUtilization: {{ .scale.cpu }}}}
{{- end }}
{{- end }}
