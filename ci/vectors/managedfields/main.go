// Writes test vectors for //pkg/api/managedfields: upstream's field manager with the schema of its client library, on
// objects and requests made at random. See ../README.md.
//
//	vectors/managedfields OUTPUT_DIRECTORY
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
	"sort"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	appsv1beta2 "k8s.io/api/apps/v1beta2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"sigs.k8s.io/structured-merge-diff/v4/fieldpath"
	smd "sigs.k8s.io/structured-merge-diff/v4/schema"
	"sigs.k8s.io/structured-merge-diff/v4/typed"
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

func pick[T any](r *rand.Rand, values ...T) T { return values[r.Intn(len(values))] }

type kind struct {
	gvk     schema.GroupVersionKind
	message string // in the .proto
	model   string // in OpenAPI
	reset   []string
}

func kindOf(group, version, name, goPackage string, reset ...string) kind {
	return kind{schema.GroupVersionKind{Group: group, Version: version, Kind: name},
		"k8s.io.api." + goPackage + "." + version + "." + name, "io.k8s.api." + goPackage + "." + version + "." + name, reset}
}

var kinds = []kind{
	kindOf("apps", "v1", "Deployment", "apps", "status"),
	kindOf("apps", "v1", "DaemonSet", "apps", "status"),
	kindOf("", "v1", "Pod", "core", "status"),
	kindOf("", "v1", "Service", "core", "status"),
	kindOf("", "v1", "Service", "core"),
	kindOf("", "v1", "Node", "core"),
	kindOf("", "v1", "ConfigMap", "core"),
	kindOf("", "v1", "ServiceAccount", "core"),
	kindOf("networking.k8s.io", "v1", "NetworkPolicy", "networking"),
	kindOf("networking.k8s.io", "v1", "Ingress", "networking", "status"),
	kindOf("apps", "v1", "Deployment", "apps", "spec", "metadata.labels"),
}

// converter knows apps/v1beta2, which is shaped like apps/v1, and the version of the kind.
type converter struct{ runtime.ObjectConvertor }

func (converter) ConvertToVersion(in runtime.Object, to runtime.GroupVersioner) (runtime.Object, error) {
	version := to.(schema.GroupVersion)
	from := in.GetObjectKind().GroupVersionKind()
	if version.Version == "v0" {
		return nil, runtime.NewNotRegisteredErrForKind("vectors", from.GroupKind().WithVersion(version.Version))
	}
	out := in.DeepCopyObject().(*unstructured.Unstructured)
	out.SetGroupVersionKind(version.WithKind(from.Kind))
	return out, nil
}

type noDefaults struct{}

func (noDefaults) Default(runtime.Object) {}

type creater struct{}

func (creater) New(gvk schema.GroupVersionKind) (runtime.Object, error) {
	object, err := scheme.New(gvk)
	if err != nil {
		return nil, err
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return nil, err
	}
	out := &unstructured.Unstructured{Object: content}
	out.SetGroupVersionKind(gvk)
	return out, nil
}

var scheme = func() *runtime.Scheme {
	out := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, appsv1.AddToScheme, appsv1beta2.AddToScheme, networkingv1.AddToScheme} {
		if err := add(out); err != nil {
			log.Fatal(err)
		}
	}
	return out
}()

// parser has the schema that the client library carries as YAML in a package of its own.
var parser = func() *typed.Parser {
	source := string(must(os.ReadFile(filepath.Join(os.Getenv("GOPATH"), "src/k8s.io/client-go/applyconfigurations/internal/internal.go"))))
	_, rest, _ := strings.Cut(source, "YAMLObject(`")
	yaml, _, _ := strings.Cut(rest, "`)")
	return must(typed.NewParser(typed.YAMLObject(yaml)))
}()

type typeConverter struct{}

func (typeConverter) ObjectToTyped(object runtime.Object, options ...typed.ValidationOptions) (*typed.TypedValue, error) {
	gvk := object.GetObjectKind().GroupVersionKind()
	group := strings.TrimSuffix(gvk.Group, ".k8s.io")
	if group == "" {
		group = "core"
	}
	t := parser.Type("io.k8s.api." + group + "." + gvk.Version + "." + gvk.Kind)
	return t.FromUnstructured(object.(*unstructured.Unstructured).Object, options...)
}

func (typeConverter) TypedToObject(value *typed.TypedValue) (runtime.Object, error) {
	content, ok := value.AsValue().Unstructured().(map[string]any)
	if !ok {
		return nil, fmt.Errorf("no object")
	}
	return &unstructured.Unstructured{Object: content}, nil
}

func resetFields(k kind) map[fieldpath.APIVersion]fieldpath.Filter {
	if len(k.reset) == 0 {
		return nil
	}
	set := fieldpath.NewSet()
	for _, path := range k.reset {
		var parts []any
		for _, part := range strings.Split(path, ".") {
			parts = append(parts, part)
		}
		set.Insert(fieldpath.MakePathOrDie(parts...))
	}
	out := map[fieldpath.APIVersion]*fieldpath.Set{}
	for _, version := range []string{k.gvk.GroupVersion().String(), "apps/v1beta2"} {
		out[fieldpath.APIVersion(version)] = set
	}
	return fieldpath.NewExcludeFilterSetMap(out)
}

// settle gives every entry that was written just now the time of the step.
func settle(object *unstructured.Unstructured, now time.Time) {
	entries := object.GetManagedFields()
	for i := range entries {
		if entries[i].Time != nil && time.Since(entries[i].Time.Time) < 24*time.Hour {
			entries[i].Time = &metav1.Time{Time: now}
		}
	}
	if entries != nil {
		object.SetManagedFields(entries)
	}
}

func run(lines [][]string, k kind, gvk schema.GroupVersionKind, live *unstructured.Unstructured, object *unstructured.Unstructured,
	operation, manager, subresource string, now time.Time) ([][]string, *unstructured.Unstructured) {
	fm := must(managedfields.NewDefaultFieldManager(typeConverter{}, converter{}, noDefaults{}, creater{}, gvk, gvk.GroupVersion(),
		subresource, resetFields(k)))
	before := ""
	start := live
	if live == nil {
		start = must(creater{}.New(gvk)).(*unstructured.Unstructured)
	} else {
		before = text(live.Object)
		// The request's version is the one objects are in.
		start = must(converter{}.ConvertToVersion(live, gvk.GroupVersion())).(*unstructured.Unstructured)
	}
	input := text(object.Object)
	var out runtime.Object
	var err error
	if operation == "update" {
		out, err = fm.Update(start.DeepCopy(), object.DeepCopy(), manager)
	} else {
		out, err = fm.Apply(start.DeepCopy(), object.DeepCopy(), manager, operation == "force")
	}
	failure, causes := "", ""
	var result *unstructured.Unstructured
	after := ""
	if err != nil {
		failure = text(err.Error())
		if status, ok := err.(*errors.StatusError); ok {
			if details := status.Status().Details; details != nil {
				sort.SliceStable(details.Causes, func(i, j int) bool { return text(details.Causes[i]) < text(details.Causes[j]) })
				causes = text(details.Causes)
			}
		}
	} else {
		result = out.(*unstructured.Unstructured)
		settle(result, now)
		after = text(result.Object)
	}
	lines = append(lines, []string{operation, k.message, gvk.GroupVersion().String(), manager, subresource, strings.Join(k.reset, " "),
		fmt.Sprint(now.Unix()), before, input, after, failure, causes})
	return lines, result
}

func operations(r *rand.Rand) (lines [][]string) {
	start := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	for round := 0; round < 150; round++ {
		k := kinds[round%len(kinds)]
		maker := &maker{r: r, schema: parser.Type(k.model).Schema}
		ref := parser.Type(k.model).TypeRef
		var live *unstructured.Unstructured
		steps := 8
		if round%10 == 9 {
			steps = 24
		}
		for step := 0; step < steps; step++ {
			now := start.Add(time.Duration(round*3600+step*10) * time.Second)
			gvk := k.gvk
			if gvk.Group == "apps" && r.Intn(4) == 0 {
				gvk.Version = "v1beta2"
			}
			operation := pick(r, "update", "update", "apply", "force", "apply")
			manager := pick(r, "alice", "bob", "kubectl", "carol-controller", "")
			if steps > 10 {
				operation = pick(r, "update", "update", "update", "update", "apply")
				manager = fmt.Sprintf("manager%02d", r.Intn(24))
			}
			subresource := ""
			if r.Intn(8) == 0 {
				subresource = "status"
			}
			var content map[string]any
			switch {
			case operation != "update":
				content, _ = maker.value(ref, 0, false).(map[string]any)
			case live == nil:
				content, _ = maker.value(ref, 0, true).(map[string]any)
			default:
				content, _ = maker.change(ref, runtime.DeepCopyJSON(live.Object), 0).(map[string]any)
			}
			meta, _ := content["metadata"].(map[string]any)
			if meta == nil {
				meta = map[string]any{}
			}
			content["metadata"] = meta
			meta["name"] = "x"
			object := &unstructured.Unstructured{Object: content}
			object.SetGroupVersionKind(gvk)
			if operation == "update" {
				if live != nil {
					meta["uid"] = "1-2-3"
					switch r.Intn(25) {
					case 0:
						meta["managedFields"] = []any{map[string]any{}}
					case 1:
						delete(meta, "managedFields")
					case 2:
						if entries, ok := meta["managedFields"].([]any); ok && len(entries) > 0 {
							meta["managedFields"] = entries[1:]
						}
					}
				}
			} else {
				delete(meta, "managedFields")
				delete(meta, "uid")
				if r.Intn(60) == 0 {
					meta["managedFields"] = []any{}
				}
				if r.Intn(40) == 0 {
					content["spec"] = pick[any](r, "x", int64(3), []any{true}, map[string]any{"nosuch": int64(1)})
				}
			}
			if manager == "kubectl" && operation == "update" && r.Intn(2) == 0 {
				// As kubectl apply does on the client.
				clean := object.DeepCopy()
				unstructured.RemoveNestedField(clean.Object, "metadata", "managedFields")
				unstructured.RemoveNestedField(clean.Object, "metadata", "uid")
				annotations := object.GetAnnotations()
				if annotations == nil {
					annotations = map[string]string{}
				}
				annotations["kubectl.kubernetes.io/last-applied-configuration"] = text(clean.Object)
				object.SetAnnotations(annotations)
			}
			var result *unstructured.Unstructured
			lines, result = run(lines, k, gvk, live, object, operation, manager, subresource, now)
			if result != nil {
				live = result
				if live.GetUID() == "" {
					live.SetUID("1-2-3")
				}
				if r.Intn(30) == 0 {
					// Somebody wrote with a version that is gone.
					entries := live.GetManagedFields()
					if len(entries) > 0 {
						entries[0].APIVersion = k.gvk.Group + "/v0"
						live.SetManagedFields(entries)
					}
				}
			}
		}
	}
	return lines
}

// sets: what objects own, in FieldsV1's own order.
func sets(r *rand.Rand) (lines [][]string) {
	for round := 0; round < 200; round++ {
		k := kinds[round%len(kinds)]
		t := parser.Type(k.model)
		maker := &maker{r: r, schema: t.Schema, odd: true}
		value := maker.value(t.TypeRef, 0, true)
		tree := must(t.FromUnstructured(value, typed.AllowDuplicates))
		set := must(tree.ToFieldSet())
		lines = append(lines, []string{k.message, text(value), string(must(set.ToJSON())), text(strings.Split(set.String(), "\n"))})
	}
	return lines
}

func describe(s *smd.Schema, ref smd.TypeRef) string {
	if ref.NamedType != nil && !strings.HasPrefix(*ref.NamedType, "io.k8s.apimachinery.pkg.api.resource.") {
		atom, _ := s.Resolve(ref)
		if atom.Map != nil && atom.Scalar == nil && atom.Map.Fields != nil {
			out := "struct " + *ref.NamedType
			if atom.Map.ElementRelationship == smd.Atomic {
				out += " atomic"
			}
			return out
		}
	}
	atom, ok := s.Resolve(ref)
	switch {
	case !ok:
		return "?"
	case atom.Map != nil && atom.Scalar != nil && atom.Map.ElementRelationship == smd.Atomic:
		return "atomic"
	case atom.Map != nil && atom.Scalar != nil:
		return "untyped"
	case atom.Map != nil:
		out := "map of (" + describe(s, atom.Map.ElementType) + ")"
		if atom.Map.ElementRelationship == smd.Atomic {
			out += " atomic"
		}
		return out
	case atom.List != nil:
		out := "list of (" + describe(s, atom.List.ElementType) + ")"
		if atom.List.ElementRelationship != smd.Associative {
			return out
		}
		if len(atom.List.Keys) == 0 {
			return "set of (" + describe(s, atom.List.ElementType) + ")"
		}
		for _, key := range atom.List.Keys {
			out += " " + key
			element, _ := s.Resolve(atom.List.ElementType)
			if element.Map != nil {
				if field, ok := element.Map.FindField(key); ok && field.Default != nil {
					out += "=" + text(field.Default)
				}
			}
		}
		return out
	case atom.Scalar != nil:
		return string(*atom.Scalar)
	}
	return "?"
}

func schemas() (lines [][]string) {
	s := parser.Type(kinds[0].model).Schema
	for _, t := range s.Types {
		if t.Map == nil || t.Map.Fields == nil || !strings.HasPrefix(t.Name, "io.k8s.api") {
			continue
		}
		line := []string{strings.Replace(t.Name, "io.k8s.", "k8s.io.", 1), fmt.Sprint(t.Map.ElementRelationship == smd.Atomic)}
		for _, field := range t.Map.Fields {
			line = append(line, field.Name, describe(s, field.Type))
		}
		lines = append(lines, line)
	}
	return lines
}

func main() {
	r := rand.New(rand.NewSource(412))
	write(filepath.Join(os.Args[1], "schemas.tsv.gz"), schemas())
	write(filepath.Join(os.Args[1], "sets.tsv.gz"), sets(r))
	write(filepath.Join(os.Args[1], "operations.tsv.gz"), operations(r))
}
