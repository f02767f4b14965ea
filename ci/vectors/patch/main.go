// Writes test vectors for //pkg/api/patch with the libraries that upstream's API server patches with. See ../README.md.
//
//	vectors/patch OUTPUT_DIRECTORY
package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"log"
	"math/rand"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	jsonpatch "github.com/evanphx/json-patch"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/runtime"
	kjson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
)

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func write(path string, lines [][]string) {
	var out bytes.Buffer
	zip := must(gzip.NewWriterLevel(&out, gzip.BestCompression))
	buffered := bufio.NewWriter(zip)
	for _, line := range lines {
		must(fmt.Fprintln(buffered, strings.Join(line, "\t")))
	}
	buffered.Flush()
	zip.Close()
	if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
		log.Fatal(err)
	}
}

func text(value any) string {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		log.Fatal(err)
	}
	return strings.TrimSpace(out.String())
}

// outcome is what the function returns, "panic" where it panics.
func outcome(apply func() ([]byte, error)) (result string, failure string) {
	defer func() {
		if recover() != nil {
			failure = "panic"
		}
	}()
	bytes, err := apply()
	if err != nil {
		return "", err.Error()
	}
	return string(bytes), ""
}

func pick[T any](r *rand.Rand, values ...T) T { return values[r.Intn(len(values))] }

// ---- RFC 6902 and 7386

func tree(r *rand.Rand, depth int, nulls bool) any {
	kind := r.Intn(8)
	if depth <= 0 && kind < 4 {
		kind += 4
	}
	switch kind {
	case 0, 1, 2:
		out := map[string]any{}
		for i := r.Intn(4); i > 0; i-- {
			out[pick(r, "a", "b", "c", "a/b", "m~n", "0", "", "ключ")] = tree(r, depth-1, nulls)
		}
		return out
	case 3:
		out := []any{}
		for i := r.Intn(4); i > 0; i-- {
			out = append(out, tree(r, depth-1, nulls))
		}
		return out
	case 4:
		return pick(r, 0, 1, -7, 1<<53)
	case 5:
		if nulls {
			return nil
		}
		return pick(r, true, false)
	default:
		return pick(r, "", "x", "y z", "käse")
	}
}

func object(r *rand.Rand, nulls bool) map[string]any {
	for {
		if out, ok := tree(r, 4, nulls).(map[string]any); ok {
			return out
		}
	}
}

func escape(key string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(key)
}

// paths lists where the tree has something, and some places beside it.
func paths(value any, at string, out *[]string) {
	*out = append(*out, at)
	switch typed := value.(type) {
	case map[string]any:
		for _, key := range []string{"a", "b", "c", "a/b", "m~n", "0", "", "ключ"} {
			if inner, ok := typed[key]; ok {
				paths(inner, at+"/"+escape(key), out)
			}
		}
		*out = append(*out, at+"/new")
	case []any:
		for i, inner := range typed {
			paths(inner, fmt.Sprintf("%s/%d", at, i), out)
		}
		*out = append(*out, at+"/-", fmt.Sprintf("%s/%d", at, len(typed)), at+"/-1", at+"/+0", at+"/1x",
			fmt.Sprintf("%s/%d", at, len(typed)+1), fmt.Sprintf("%s/-%d", at, len(typed)+1))
	default:
		*out = append(*out, at+"/below")
	}
}

func at(value any, path string) (any, bool) {
	for _, part := range strings.Split(path, "/")[1:] {
		typed, ok := value.(map[string]any)
		if !ok {
			return nil, false
		}
		if value, ok = typed[strings.NewReplacer("~1", "/", "~0", "~").Replace(part)]; !ok {
			return nil, false
		}
	}
	return value, true
}

func jsonPatches(r *rand.Rand) (lines [][]string) {
	add := func(document, patch string) {
		result, failure := outcome(func() ([]byte, error) {
			decoded, err := jsonpatch.DecodePatch([]byte(patch))
			if err != nil {
				return nil, err
			}
			return decoded.Apply([]byte(document))
		})
		if failure == "panic" {
			return
		}
		if failure != "" {
			result = ""
		}
		lines = append(lines, []string{"json", "", document, patch, result, ""})
	}
	for i := 0; i < 2000; i++ {
		document := object(r, true)
		var places []string
		paths(document, "", &places)
		var operations []any
		for n := 1 + r.Intn(3); n > 0; n-- {
			path := pick(r, places...)
			for try := 0; try < 3; try++ {
				if _, ok := at(document, path); !ok || path == "" {
					path = pick(r, places...)
				}
			}
			operation := map[string]any{"op": pick(r, "add", "add", "remove", "replace", "move", "copy", "test", "test"), "path": path}
			switch operation["op"] {
			case "move", "copy":
				operation["from"] = pick(r, places...)
			case "test":
				operation["value"] = tree(r, 2, false)
				if present, ok := at(document, path); ok && r.Intn(3) > 0 {
					operation["value"] = present
				}
			case "add", "replace":
				// What was added as null is not what the document had as null: a quirk of upstream's.
				operation["value"] = tree(r, 2, false)
			}
			operations = append(operations, operation)
		}
		add(text(document), text(operations))
	}
	for _, patch := range jsonPatchTexts {
		add(`{"a":{"b":[1,2,3],"c":null},"m~n":1,"x/y":{"~1":2},"":{"":0}}`, patch)
	}
	return lines
}

func mergePatches(r *rand.Rand) (lines [][]string) {
	for i := 0; i < 600; i++ {
		document, patch := text(object(r, true)), text(object(r, true))
		result, failure := outcome(func() ([]byte, error) {
			return jsonpatch.MergePatch([]byte(document), []byte(patch))
		})
		if failure != "" {
			log.Fatal(failure)
		}
		lines = append(lines, []string{"merge", "", document, patch, result, ""})
	}
	return lines
}

// ---- strategic merge patch

type target struct {
	name   string
	sample any
}

var targets = []target{
	{"k8s.io.api.core.v1.Pod", corev1.Pod{}},
	{"k8s.io.api.core.v1.Service", corev1.Service{}},
	{"k8s.io.api.core.v1.ServiceAccount", corev1.ServiceAccount{}},
	{"k8s.io.api.core.v1.Node", corev1.Node{}},
	{"k8s.io.api.apps.v1.Deployment", appsv1.Deployment{}},
	{"k8s.io.api.networking.v1.NetworkPolicy", networkingv1.NetworkPolicy{}},
}

func strategic(lines [][]string, on target, document, patch string) [][]string {
	var result, failure string
	// What depends on the order of a Go map is left out.
	for i := 0; i < 12 || failure != "" && i < 60; i++ {
		again, words := outcome(func() ([]byte, error) {
			from, change := map[string]any{}, map[string]any{}
			if err := kjson.Unmarshal([]byte(document), &from); err != nil {
				log.Fatal(err, document)
			}
			if err := kjson.Unmarshal([]byte(patch), &change); err != nil {
				log.Fatal(err, patch)
			}
			// Lists as long as their memory, as those that the server makes of a typed object: append shows the difference.
			out, err := strategicpatch.StrategicMergeMapPatch(runtime.DeepCopyJSON(from), change, on.sample)
			if err != nil {
				return nil, err
			}
			return json.Marshal(out)
		})
		if words == "panic" || i > 0 && (again != result || words != failure) {
			return lines
		}
		result, failure = again, words
	}
	if failure != "" {
		failure = text(failure)
	}
	return append(lines, []string{"strategic", on.name, document, patch, result, failure})
}

func strategicPatches(r *rand.Rand) (lines [][]string) {
	for _, one := range strategicTexts {
		for _, on := range targets {
			if on.name == one[0] {
				lines = strategic(lines, on, one[1], one[2])
			}
		}
	}
	for i := 0; i < 1500; i++ {
		on := pick(r, targets...)
		maker := &maker{r: r}
		t := reflect.TypeOf(on.sample)
		document := maker.value(t, 0, 9)
		patch := maker.patch(t, document, 0)
		lines = strategic(lines, on, text(document), text(patch))
	}
	return lines
}

func main() {
	r := rand.New(rand.NewSource(6902))
	var lines [][]string
	lines = append(lines, jsonPatches(r)...)
	lines = append(lines, mergePatches(r)...)
	lines = append(lines, strategicPatches(r)...)
	write(filepath.Join(os.Args[1], "patches.tsv.gz"), lines)
}
