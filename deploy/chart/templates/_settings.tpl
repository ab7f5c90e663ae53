{{/* The shared settings, and a process's own, which win. */}}
{{- define "payouts.settings" -}}
{{- range $name, $value := mergeOverwrite (deepCopy .root.Values.settings) (deepCopy (.own | default dict)) }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}

{{- define "payouts.temporalSettings" -}}
{{- with .root.Values.temporal -}}
- {name: TEMPORAL_ADDRESS, value: {{ .address | quote }}}
- {name: TEMPORAL_NAMESPACE, value: {{ .namespace | quote }}}
{{- if .tls }}
- {name: TEMPORAL_TLS, value: "true"}
{{- end }}
{{- with .serverName }}
- {name: TEMPORAL_TLS_SERVER_NAME, value: {{ . | quote }}}
{{- end }}
{{- if .clientCertificate }}
- {name: TEMPORAL_TLS_CLIENT_CERT_PATH, value: /run/secrets/temporal/tls.crt}
- {name: TEMPORAL_TLS_CLIENT_KEY_PATH, value: /run/secrets/temporal/tls.key}
{{- end }}
{{- if .authority }}
- {name: TEMPORAL_TLS_SERVER_CA_CERT_PATH, value: /run/secrets/temporal/ca.crt}
{{- end }}
{{- if .config }}
- {name: TEMPORAL_CONFIG_FILE, value: /run/secrets/temporal/temporal.toml}
{{- end }}
{{- end }}
{{- end }}

{{- define "payouts.rootsSettings" -}}
{{- if .root.Values.roots }}
- {name: SSL_CERT_DIR, value: "/etc/ssl/certs:/etc/payouts/roots"}
{{- end }}
{{- end }}

{{- define "payouts.payloadSettings" -}}
{{- if .root.Values.payloadKeys }}
- {name: PAYOUTS_PAYLOAD_KEYS_FILE, value: /run/secrets/payload/payload-keys}
{{- end }}
{{- end }}

{{/* Who may act, and which orders need a second person. */}}
{{- define "payouts.rulesSettings" -}}
{{- if .root.Values.roster }}
- {name: PAYOUTS_ROSTER_FILE, value: /etc/payouts/roster/roster.yaml}
{{- end }}
{{- with .root.Values.origin }}
- {name: PAYOUTS_ORIGIN, value: {{ . | quote }}}
{{- end }}
{{- if and .root.Values.policy .policy }}
- {name: PAYOUTS_POLICY_FILE, value: /etc/payouts/policy/policy.yaml}
{{- end }}
{{- end }}

{{/*
Files of keys are in Secrets: Kubernetes keeps these in memory, in a folder where nobody can
replace a file. The folder of a ConfigMap is open to everybody, so the programs refuse its files.
*/}}
{{- define "payouts.mounts" -}}
- {name: secret, mountPath: /run/secrets/payouts, readOnly: true}
{{- if and .temporal .root.Values.temporal.secret }}
- {name: temporal, mountPath: /run/secrets/temporal, readOnly: true}
{{- end }}
{{- if and .payloads .root.Values.payloadKeys }}
- {name: payload, mountPath: /run/secrets/payload, readOnly: true}
{{- end }}
{{- if and .roster .root.Values.roster }}
- {name: roster, mountPath: /etc/payouts/roster, readOnly: true}
{{- end }}
{{- if and .policy .root.Values.policy }}
- {name: policy, mountPath: /etc/payouts/policy, readOnly: true}
{{- end }}
{{- if .root.Values.roots }}
- {name: roots, mountPath: /etc/payouts/roots, readOnly: true}
{{- end }}
{{- if .temporary }}
- {name: temporary, mountPath: /tmp}
{{- end }}
{{- if .claim }}
- {name: kept, mountPath: /var/lib/payouts}
{{- end }}
{{- end }}

{{/* keys: those that the process's own Secret must have. Kubernetes starts no pod without them. */}}
{{- define "payouts.volumes" -}}
- name: secret
  secret:
    secretName: {{ .secret }}
    defaultMode: 0440
    items:
      {{- range .keys }}
      - {key: {{ . }}, path: {{ . }}}
      {{- end }}
{{- if and .temporal .root.Values.temporal.secret }}
- name: temporal
  secret: {secretName: {{ .root.Values.temporal.secret }}, defaultMode: 0440}
{{- end }}
{{- if and .payloads .root.Values.payloadKeys }}
- name: payload
  secret:
    secretName: {{ .root.Values.payloadKeys }}
    defaultMode: 0440
    items: [{key: payload-keys, path: payload-keys}]
{{- end }}
{{- if and .roster .root.Values.roster }}
- name: roster
  secret: {secretName: {{ .root.Values.roster }}, defaultMode: 0440}
{{- end }}
{{- if and .policy .root.Values.policy }}
- name: policy
  secret:
    secretName: {{ .root.Values.policy }}
    defaultMode: 0440
    items: [{key: policy.yaml, path: policy.yaml}]
{{- end }}
{{- if .root.Values.roots }}
- name: roots
  configMap: {name: {{ .root.Values.roots }}}
{{- end }}
{{- if .temporary }}
- name: temporary
  emptyDir: {sizeLimit: {{ .temporary }}}
{{- end }}
{{- if .claim }}
- name: kept
  persistentVolumeClaim: {claimName: {{ .claim }}}
{{- end }}
{{- end }}
