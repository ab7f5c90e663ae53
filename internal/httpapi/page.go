package httpapi

import (
	"bytes"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// listing is one operation on the page.
type listing struct {
	Method, Path, Summary, Description string
}

var pageTemplate = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{.Title}}</title>
<style>body{font:16px/1.5 system-ui;max-width:52rem;margin:2rem auto;padding:0 1rem}code{font-size:.95em}dt{margin-top:1rem}</style>
</head><body><h1>{{.Title}} {{.Version}}</h1><p>{{.Text}}</p>
<p><a href="/openapi.json">openapi.json</a> · <a href="/openapi.yaml">openapi.yaml</a></p><dl>
{{range .Operations}}<dt><code>{{.Method}} {{.Path}}</code></dt><dd>{{.Summary}}.{{with .Description}} {{.}}{{end}}</dd>
{{end}}</dl></body></html>
`))

// page returns the page to read what the door offers. It needs no key and loads nothing
// from elsewhere.
func page(document *huma.OpenAPI) http.HandlerFunc {
	var operations []listing
	for path, item := range document.Paths {
		for method, o := range map[string]*huma.Operation{http.MethodGet: item.Get, http.MethodPost: item.Post} {
			if o != nil {
				operations = append(operations, listing{method, path, o.Summary, o.Description})
			}
		}
	}
	slices.SortFunc(operations, func(a, b listing) int { return strings.Compare(a.Path+a.Method, b.Path+b.Method) })
	var text bytes.Buffer
	err := pageTemplate.Execute(&text, map[string]any{
		"Title": document.Info.Title, "Version": document.Info.Version, "Text": document.Info.Description, "Operations": operations,
	})
	if err != nil {
		panic("httpapi: the page is made of texts: " + err.Error())
	}
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(text.Bytes()) // the caller has gone away
	}
}
