package main

import (
	"encoding/json"
	"fmt"
	"strings"
)

type decodeInput struct{ format, text string }

// pod is a Pod whose parts are given as JSON.
func pod(metadata, spec string) string {
	return fmt.Sprintf(`{"apiVersion":"v1","kind":"Pod","metadata":%s,"spec":%s}`, metadata, spec)
}

func container(fields string) string { return pod(`{}`, `{"containers":[{`+fields+`}]}`) }

func decodeInputs() []decodeInput {
	object := func(kind, fields string) string {
		return fmt.Sprintf(`{"apiVersion":"v1","kind":%q,%s}`, kind, fields)
	}
	jsons := []string{
		container(`"name":"a","foo":1`), container(`"name":"a","name":"b"`), container(`"Name":"a"`), container(`"name":5`),
		container(`"name":null,"ports":null,"env":[null]`), container(`"command":"sh"`), container(`"command":["a",1,"b",{}]`),
		container(`"command":[null]`), container(`"tty":"yes"`), container(`"tty":1`), container(`"ports":[{"containerPort":"80"}]`),
		container(`"ports":[{"containerPort":80.0}]`), container(`"ports":[{"containerPort":8e1}]`), container(`"ports":[{"containerPort":99999999999}]`),
		container(`"ports":[{"containerPort":-0}]`), container(`"ports":{"containerPort":1}`), container(`"resources":[]`),
		container(`"resources":{"limits":{"cpu":"abc"}}`), container(`"resources":{"limits":{"cpu":1.5,"memory":1e3,"x":"  2  "}}`),
		container(`"resources":{"limits":{"cpu":true}}`), container(`"resources":{"limits":{"cpu":null}}`), container(`"resources":{"limits":{"cpu":""}}`),
		container(`"resources":{"limits":"x"}`), container(`"resources":{"limits":{"cpu":1,"cpu":2}}`), container(`"resources":{"limits":{"cpu":{"a":1}}}`),
		container(`"livenessProbe":{"httpGet":{"port":"web","x":1}}`), container(`"livenessProbe":{"httpGet":{"port":80.5}}`),
		container(`"livenessProbe":{"httpGet":{"port":true}}`), container(`"livenessProbe":{"httpGet":{"port":null}}`), container(`"livenessProbe":{"httpGet":{"port":[]}}`),
		container(`"imagePullPolicy":["x"]`), container(`"securityContext":{"runAsUser":"0"}`), container(`"securityContext":{"runAsUser":null,"privileged":7}`),
		pod(`{"creationTimestamp":"yesterday"}`, `{}`), pod(`{"creationTimestamp":5}`, `{}`), pod(`{"creationTimestamp":null}`, `{}`),
		pod(`{"creationTimestamp":""}`, `{}`), pod(`{"creationTimestamp":"2024-13-01T00:00:00Z"}`, `{}`), pod(`{"creationTimestamp":"2024-02-30T00:00:00Z"}`, `{}`),
		pod(`{"creationTimestamp":"2024-02-29T23:59:59.999999999+14:00"}`, `{}`), pod(`{"creationTimestamp":"2024-02-29T24:00:00Z"}`, `{}`),
		pod(`{"creationTimestamp":"2024-02-29T3:00:00Z"}`, `{}`), pod(`{"creationTimestamp":"2024-02-29T03:00:00"}`, `{}`), pod(`{"creationTimestamp":"2024-02-29T03:00:00Zx"}`, `{}`),
		pod(`{"creationTimestamp":"2024-02-29 03:00:00Z"}`, `{}`), pod(`{"creationTimestamp":"0001-01-01T00:00:00Z"}`, `{}`), pod(`{"creationTimestamp":"1969-12-31T23:59:59Z"}`, `{}`),
		pod(`{"labels":{"a":true}}`, `{}`), pod(`{"labels":{"a":null,"b":"x"}}`, `{}`), pod(`{"labels":["a"]}`, `{}`), pod(`{"labels":{"a":"1","a":"2"}}`, `{}`),
		pod(`{"labels":{}}`, `{}`), pod(`{"annotations":{"x.y/z":"1","x.y/z":"1"}}`, `{}`), pod(`null`, `null`), pod(`[]`, `{}`), pod(`"x"`, `{}`),
		pod(`{"managedFields":[{"fieldsV1":{"f:a":{}},"fieldsType":"FieldsV1","time":"2024-01-01T00:00:00Z"}]}`, `{}`),
		pod(`{"managedFields":[{"fieldsV1":null}]}`, `{}`), pod(`{"ownerReferences":[{"uid":1}]}`, `{}`), pod(`{"generation":1.0}`, `{}`), pod(`{"generation":9223372036854775808}`, `{}`),
		pod(`{}`, `{"volumes":[{"name":"v","emptyDir":{"sizeLimit":"1Gi","bogus":{}},"hostPath":{"path":"/"}}]}`), pod(`{}`, `{"volumes":[{"name":"v","name":"w","emptyDir":{},"emptyDir":{}}]}`),
		pod(`{}`, `{"terminationGracePeriodSeconds":"30"}`), pod(`{}`, `{"nodeSelector":{"a":1}}`), pod(`{}`, `{"overhead":{"cpu":"1x"}}`), pod(`{}`, `{"containers":[[]]}`),
		pod(`{}`, `{"containers":[{"name":"a","env":[{"name":"x","valueFrom":{"secretKeyRef":{"name":"s","key":"k","nope":1,"optional":"no"}}}]}]}`),
		pod(`{"bogus":1,"bogus":2}`, `{"bogus":[{"bogus":1}]}`),
		object("Pod", `"metadata":{},"metadata":{"name":"x"},"kind":"Pod","status":{"phase":"Running","startTime":"2024-01-01T00:00:00Z"}`),
		object("Secret", `"data":{"k":"AAECAw==","e":""}`), object("Secret", `"data":{"k":"A*=="}`), object("Secret", `"data":{"k":"AAA"}`), object("Secret", `"data":{"k":"AA=x"}`),
		object("Secret", `"data":{"k":"AA==AA=="}`), object("Secret", `"data":{"k":"AA\n=\r\n="}`), object("Secret", `"data":{"k":1}`), object("Secret", `"data":{"k":[1,2]}`), object("Secret", `"data":{"k":"A==="}`),
		object("Secret", `"immutable":null,"stringData":{"a":"<&>"}`), object("Service", `"spec":{"ports":[{"port":80,"targetPort":"web"},{"port":81,"targetPort":8080}]}`),
		object("List", `"items":[{"kind":"X","a":[ 1 , 2 ]},null,5,"<x>"]`), object("Nope", `"a":1`), object("Pod", `"spec":{"containers":[{"name":"\ud800\u0041\udc00 \ud83d\ude00"}]}`),
		object("Event", `"eventTime":"2024-01-01T00:00:00.123456Z","firstTimestamp":null`), object("Event", `"eventTime":"2024-01-01T00:00:00Z"`), object("Event", `"eventTime":"2024-01-01T00:00:00.1234567Z"`),
		object("Event", `"eventTime":"2024-01-01T00:00:00.123Z"`),
		``, ` `, `{`, `{"apiVersion"`, `{"apiVersion":"v1","kind":"Pod"`, `{"apiVersion":"v1","kind":"Pod",}`, `{"apiVersion":"v1","kind":"Pod"}}`, `{"apiVersion":"v1" "kind":"Pod"}`,
		`{apiVersion:"v1"}`, `{"apiVersion":"v1","kind":"Pod","spec":tru}`, `{"apiVersion":"v1","kind":"Pod","spec":{"containers":[1 2]}}`, `[]`, `null`, `5`, `"x"`,
		`{"apiVersion":"v1","kind":"Pod","x":01}`, `{"apiVersion":"v1","kind":"Pod","x":1.}`, `{"apiVersion":"v1","kind":"Pod","x":1e}`, `{"apiVersion":"v1","kind":"Pod","x":-}`,
		`{"apiVersion":"v1","kind":"Pod","x":"\x"}`, `{"apiVersion":"v1","kind":"Pod","x":"\u12G4"}`, "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"x\":\"\n\"}", "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"x\":\xff}",
		"{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"spec\":{\"nodeName\":\"a\xffb\"}}", `{"apiVersion":"v1","kind":"Pod",'x':1}`, `{"kind":"Pod"}`, `{"apiVersion":"v1"}`,
		`{"apiVersion":"apps/v1","kind":"Deployment","spec":{"strategy":{"rollingUpdate":{"maxSurge":"25%","maxUnavailable":1}},"replicas":2.5}}`,
		`{"apiVersion":"authentication.k8s.io/v1","kind":"TokenReview","status":{"user":{"extra":{"a":["x","y"],"c":[]}}}}`,
		`{"apiVersion":"authentication.k8s.io/v1","kind":"TokenReview","status":{"user":{"extra":{"a":"x"}}}}`, `{"apiVersion":"authentication.k8s.io/v1","kind":"TokenReview","status":{"user":{"extra":{"a":[1]}}}}`,
	}
	yamls := []string{
		"apiVersion: v1\nkind: Pod\nmetadata:\n  name: x\n  name: y2\nspec:\n  containers:\n  - name: c\n    foo: 1\n",
		"apiVersion: v1\nkind: Pod\nmetadata: {name: x, labels: {a: b}}\nspec:\n  nodeName: 5\n", "apiVersion: v1\nkind: Pod\nspec: {hostNetwork: yes, nodeName: no}\n",
		"apiVersion: v1\nkind: ConfigMap\ndata:\n  a: |\n    text\n      more\n  b: >\n    folded\n    text\n  c: 'single ''q'''\n  d: \"dbl \\t \\u00e9\"\n",
		"apiVersion: v1\nkind: ConfigMap\ndata:\n  a: 1\n", "apiVersion: v1\nkind: ConfigMap\ndata:\n  a: &x text\n  b: *x\n",
		"apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - name: a\n    name: b\n    image: i\n    image: j\n",
		"apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - resources: {limits: {cpu: 0.5, memory: 1e3}}\n",
	}
	var inputs []decodeInput
	for _, text := range jsons {
		inputs = append(inputs, decodeInput{"json", text})
	}
	for _, text := range yamls {
		inputs = append(inputs, decodeInput{"yaml", text})
	}
	return inputs
}

func yamlInputs() []string {
	scalars := []string{
		"on", "On", "oN", "yes", "y", "Y", "n", "no", "off", "true", "True", "tRue", "false", "~", "null", "Null", "", "0777", "0o17", "0O17", "0b101", "0x1F", "0X1f", "1_000", "_1", "08", "09.5",
		"1e3", "1E3", "1e", ".5", "5.", ".", "..", "-", "-3", "+3", "-.5", "+.inf", "-.INF", ".nan", "1.0", "100000000000000000000", "9223372036854775807", "9223372036854775808", "-9223372036854775808",
		"-9223372036854775809", "18446744073709551615", "18446744073709551616", "1e400", "1e-7", "1e20", "1e21", "123456789.123456789", "0.1", "2001-01-01", "2001-1-1", "2001-01-01T00:00:00Z", "2001-13-01",
		"1:20", "190:20:30", "'yes'", "\"no\"", "!!str 5", "!!int '5'", "!!float 3", "!!bool yes", "!!null x", "!!int x", "!custom 5", "!!binary aGVsbG8=", "!!binary x", "<<", "=", "0", "-0", "00", "0.0", "-0.0", "1__0", "0x", "0b", "0b2", "1.2.3", "12h", "a b", "a#b", "a #b", "1 2",
		"\\n", "'it''s'", "\"\\x41\\u00e9\\U0001F600\\e\\0\"", "|\n  block\n", ">-\n  folded\n  text\n\n  more\n", "|+\n  keep\n\n", "|2\n    indented\n", "[a, b, {c: d}]", "{a: 1, b: [], c}", "*x",
	}
	var inputs []string
	for _, scalar := range scalars {
		inputs = append(inputs, "v: "+scalar+"\n")
		if !strings.ContainsAny(scalar, "\n|>[{*!") {
			inputs = append(inputs, scalar+": v\n")
		}
	}
	return append(inputs,
		"a: &x {k: 1}\nb: *x\n", "a: &x {k: 1, l: 2}\nb: {<<: *x, l: 3}\nc: {l: 3, <<: *x}\n", "a: &x {k: 1}\nb: &y {k: 2, m: 3}\nc: {<<: [*x, *y]}\n", "<<: {a: 1}\nb: 2\n", "<<: 5\n",
		"a: 1\na: 2\n", "- a\n- b:\n    c: d\n-\n  - e\n", "a:\n- b\n- c\n", "# comment\n\na: 1 # end\n", "---\na: 1\n...\n", "--- {a: 1}\n", "", "# nothing\n", "---\n", "text\n", "5\n", "a: 'x\n  y\n\n  z'\n", "a: x\n  y\n",
		"\xef\xbb\xbfa: 1\n", "a: \"tab\\tx\"\n", "a:\tb\n", "? a\n: b\n", "? [a]\n: b\n", "{a: {b: {c: [1, 2, {d: null}]}}}\n", "a: ünïcödé 😀\n", "a: <b>&c\n", "a: \"\\u2028\"\n", "%YAML 1.1\n---\na: 1\n", "a: - b\n", "a: [1\n",
		"a: {b\n", "a: 'x\n", "a:\n  b: 1\n c: 2\n", "\ta: 1\n", "a: b: c\n", "a: @x\n", "a: `x\n", "a: %x\n", "a: &x\n", "- a\nb: c\n", "a: \"\\q\"\n", "a: ]\n", "a: 'x' y\n", "a: \"x\" y\n", "a: \"x\n", "a: \"x\nb: c\n", "a: 'it''s\n", "a:\n- b\n  c: d\n", "a:\n  - b\n - c\n", "a: |\n x\n  y\nz: 1\n", "a: |\n  x\n y\n", "a: b\n  c: d\n", "a\nb: c\n", "a: b\nc\n", 
		"a: {b: c\nd: e\n", "a: [b, c\nd: e\n", "- a\n- b: c\n d: e\n", "a: *\n", "a: & x\n", "a: !!\n", "a: !<x> y\n", "!!map {a: 1}\n", "a: !!seq [1]\n", "a: >\n", "a: |x\n  y\n", "a: \"\\u00\"\n", "a: 'b'c\n", "'a'b: c\n", "a: b\n---\nc: d\n", "a: b\n...\nc: d\n", "a: b\n... x\n", "a:\n\t- b\n", "a: b\n\tc: d\n", "a: [\n b,\n c,\n]\n", "a: {b: 1,}\n", "a: {b, c: }\n", "? a\n", ": a\n", "a: b: \n", "-\n", "- \n- \n", "a:\n  -\n  - b\n", "a: -\n", "a: - \n", "a: ? b\n", "a: 1 # c\n# d\nb: 2\n", "a: '#'\n", "a: x#y\n", "a:b\n", "a: b:c\n", "http://x: y\n", "a: http://x:80/\n", "a: [x:y, z: 1]\n", "a: {x:1}\n", "a: {\"x\":1}\n", "key with spaces: v\n", "\"quoted key\": v\n", "1.5: v\n", "null: v\n", "~: v\n", "? |\n  block\n: v\n")
}

func jsonInputs() []string {
	var inputs []string
	for _, text := range texts {
		value, _ := json.Marshal(text)
		inputs = append(inputs, fmt.Sprintf(`{"a":%s}`, value), fmt.Sprintf(`[%s]`, value), fmt.Sprintf(`{"l":[{"a":%s,"b":[%s]}]}`, value, value))
		if text != "" {
			inputs = append(inputs, fmt.Sprintf(`{%s:1}`, value))
		}
	}
	for _, text := range []string{
		"yes", "No", "ON", "0777", "1e3", "1.5", "-1", "+1", ".5", "1:20", "0b1", "0x1", "0o7", "1__2", "inf", ".inf", ".NaN", "2001-01-01T00:00:00Z", "2001-1-1", "20010101", "?", "? x", "-", "-x", "- x", ":", ":x", "x:", "x:y", "a, b", "[x", "{x", "}", "&x", "*x",
		"!x", "|x", ">x", "'x", "\"x", "%x", "@x", "`x", "---", "--- x", "...", "--", "a\tb", "a\rb", "a\u00a0b", "\ufeff", "a\u0000", "a  b", "a \nb", "a\n b", " \n", "x\n\n", "\n\nx", " x\ny", "x \n", "x\ny ", strings.Repeat("word ", 40), strings.Repeat("x", 200),
		strings.Repeat("it's ", 40), strings.Repeat("a: ", 40), strings.Repeat("tab\t ", 30), strings.Repeat("two  spaces ", 20), strings.Repeat("long line of text ", 10) + "\nsecond", "k10", "#", "a#", "null", "~", "Null", "true ", "é", "日本語", "a\\b",
	} {
		value, _ := json.Marshal(text)
		inputs = append(inputs, fmt.Sprintf(`{"a":%s}`, value), fmt.Sprintf(`{"deep":{"er":[[%s]]}}`, value), fmt.Sprintf(`{%s:{"x":1}}`, value))
	}
	return append(inputs,
		`{"b":1,"a":2,"C":3,"a10":4,"a9":5,"a09":6,"10":7,"9":8,"a-b":9,"a_b":10,"a.b":11,"aB":12,"é":13,"":14,"~":15}`, `[1,1.0,1.5,1e3,1e21,1e-7,-0,0.1,123456789012,1e400,12345678901234567890,0.00001,1E5,100000000000000000000000]`,
		`{}`, `[]`, `{"a":{},"b":[],"c":[{}],"d":[[]],"e":[[],{}],"f":null}`, `null`, `true`, `"x"`, `5`, `""`, `[[1,[2,[3]]],{"a":[{"b":[{"c":1}]}]}]`, `[{"a":[1],"b":{"c":[2]}},{"a":null}]`, fmt.Sprintf(`{"%s":1}`, strings.Repeat("k", 129)), fmt.Sprintf(`{"%s":{"a":1}}`, strings.Repeat("k", 130)), fmt.Sprintf(`{"%s":[1]}`, strings.Repeat("k", 128)))
}
