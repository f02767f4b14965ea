// Writes test vectors for //pkg/api/codec with upstream's own Go types and serializers. See README.md.
//
//	vectors OUTPUT_DIRECTORY
package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log"
	"math/rand"
	"os"
	"path/filepath"
	"reflect"
	"sort"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	kjson "k8s.io/apimachinery/pkg/runtime/serializer/json"
	"sigs.k8s.io/yaml"
)

type marshaler interface{ Marshal() ([]byte, error) }

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

// write puts tab separated lines into a gzip file without name and time, so that the same run gives the same bytes.
func write(path string, lines [][]string) {
	var out bytes.Buffer
	zip := must(gzip.NewWriterLevel(&out, gzip.BestCompression))
	buffered := bufio.NewWriter(zip)
	for _, line := range lines {
		buffered.WriteString(strings.Join(line, "\t") + "\n")
	}
	buffered.Flush()
	zip.Close()
	if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s: %d lines, %d bytes\n", path, len(lines), out.Len())
}

func b64(data []byte) string { return base64.StdEncoding.EncodeToString(data) }

func kinds(scheme *runtime.Scheme) []schema.GroupVersionKind {
	var out []schema.GroupVersionKind
	for gvk, goType := range scheme.AllKnownTypes() {
		meta := strings.HasSuffix(goType.PkgPath(), "meta/v1")
		if gvk.Version == runtime.APIVersionInternal || (meta && gvk.GroupVersion() != schema.GroupVersion{Version: "v1"}) {
			continue
		}
		if _, ok := reflect.New(goType).Interface().(marshaler); ok {
			out = append(out, gvk)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].String() < out[j].String() })
	return out
}

// objects: apiVersion, kind, JSON, base64 of the protobuf, base64 of the YAML or "" for every kind, empty and filled.
func objects(scheme *runtime.Scheme) [][]string {
	var lines [][]string
	random := filler{rand.New(rand.NewSource(20250101))}
	for i, gvk := range kinds(scheme) {
		list := strings.HasSuffix(gvk.Kind, "List")
		for round := 0; round < 3; round++ {
			if list && round == 2 {
				continue
			}
			object := must(scheme.New(gvk))
			value := reflect.ValueOf(object).Elem()
			if round > 0 {
				depth := 1
				if list {
					depth = 3
				}
				random.fill(value, depth)
			}
			object.GetObjectKind().SetGroupVersionKind(gvk)
			text := must(json.Marshal(object))
			var asYAML string
			if round == 1 && i%3 == 0 {
				asYAML = b64(must(yaml.Marshal(object)))
			}
			apiVersion, kind := gvk.ToAPIVersionAndKind()
			lines = append(lines, []string{apiVersion, kind, string(text), b64(must(object.(marshaler).Marshal())), asYAML})
		}
	}
	return lines
}

// decodes: "json" or "yaml", base64 of the input, base64 of the JSON of the decoded object, base64 of the error.
func decodes(scheme *runtime.Scheme) [][]string {
	var lines [][]string
	for _, input := range decodeInputs() {
		serializer := kjson.NewSerializerWithOptions(kjson.DefaultMetaFactory, scheme, scheme,
			kjson.SerializerOptions{Yaml: input.format == "yaml", Strict: true})
		object, _, err := serializer.Decode([]byte(input.text), nil, nil)
		var text, failure string
		if object != nil {
			text = string(must(json.Marshal(object)))
		}
		if err != nil {
			failure = err.Error()
		}
		lines = append(lines, []string{input.format, b64([]byte(input.text)), b64([]byte(text)), b64([]byte(failure))})
	}
	return lines
}

// conversions: "to-json" or "to-yaml", base64 of the input, base64 of the output, base64 of the error.
func conversions() [][]string {
	var lines [][]string
	add := func(kind, input string, convert func([]byte) ([]byte, error)) {
		output, err := convert([]byte(input))
		failure := ""
		if err != nil {
			failure = err.Error()
		}
		lines = append(lines, []string{kind, b64([]byte(input)), b64(output), b64([]byte(failure))})
	}
	for _, input := range yamlInputs() {
		add("to-json", input, yaml.YAMLToJSON)
	}
	for _, input := range jsonInputs() {
		add("to-yaml", input, yaml.JSONToYAML)
	}
	return lines
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: vectors OUTPUT_DIRECTORY")
	}
	scheme := runtime.NewScheme()
	if err := addToScheme.AddToScheme(scheme); err != nil {
		log.Fatal(err)
	}
	write(filepath.Join(os.Args[1], "objects.tsv.gz"), objects(scheme))
	write(filepath.Join(os.Args[1], "decodes.tsv.gz"), decodes(scheme))
	write(filepath.Join(os.Args[1], "conversions.tsv.gz"), conversions())
}
