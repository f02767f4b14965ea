package main

import (
	"fmt"
	"math/rand"
	"sort"

	smd "sigs.k8s.io/structured-merge-diff/v4/schema"
)

// maker makes values of a schema's type, out of few names and values so that managers meet.
type maker struct {
	r      *rand.Rand
	schema *smd.Schema
	odd    bool // names and values that need escaping
}

func (m *maker) scalar(scalar smd.Scalar) any {
	switch scalar {
	case smd.Numeric:
		return int64(m.r.Intn(3)) + 79
	case smd.Boolean:
		return m.r.Intn(2) == 0
	case smd.Untyped:
		return pick[any](m.r, "1", "2", int64(5))
	}
	if m.odd {
		return pick(m.r, "a", "b", "<&>", "q\"\\", "käse\n", "")
	}
	return pick(m.r, "a", "b", "c")
}

func (m *maker) value(ref smd.TypeRef, depth int, full bool) any {
	atom, _ := m.schema.Resolve(ref)
	switch {
	case atom.Scalar != nil:
		return m.scalar(*atom.Scalar)
	case atom.Map != nil:
		out := map[string]any{}
		if atom.Map.Fields == nil {
			for i := m.r.Intn(3); i > 0; i-- {
				name := pick(m.r, "k", "l", "m")
				if m.odd {
					name = pick(m.r, "k", "a/b", "x<y", "q\"r")
				}
				out[name] = m.value(atom.Map.ElementType, depth+1, full)
			}
			return out
		}
		for _, field := range atom.Map.Fields {
			chance := 12
			if full {
				chance = 30
			}
			if depth < 2 {
				chance = 60
			}
			switch field.Name {
			case "metadata", "spec", "containers", "template", "ports", "finalizers", "labels", "replicas", "annotations":
				chance = 70
			case "managedFields", "initContainers", "ephemeralContainers", "affinity":
				chance = 3
			}
			if field.Name == "managedFields" || depth > 9 || m.r.Intn(100) >= chance {
				continue
			}
			out[field.Name] = m.value(field.Type, depth+1, full)
		}
		return out
	case atom.List != nil:
		out := []any{}
		seen := map[string]bool{}
		for i := m.r.Intn(4); i > 0; i-- {
			item := m.value(atom.List.ElementType, depth+1, full)
			if object, ok := item.(map[string]any); ok {
				m.keys(atom.List, object)
			}
			if id := m.id(atom.List, item); id == "" || !seen[id] {
				seen[id] = true
				out = append(out, item)
			}
		}
		return out
	}
	return nil
}

func (m *maker) keys(list *smd.List, object map[string]any) {
	element, _ := m.schema.Resolve(list.ElementType)
	for _, key := range list.Keys {
		field, _ := element.Map.FindField(key)
		if field.Default != nil && m.r.Intn(3) == 0 {
			delete(object, key)
			continue
		}
		object[key] = m.value(field.Type, 9, false)
	}
}

func (m *maker) id(list *smd.List, item any) string {
	if list.ElementRelationship != smd.Associative {
		return ""
	}
	object, ok := item.(map[string]any)
	if !ok {
		return text(item)
	}
	out := "k"
	element, _ := m.schema.Resolve(list.ElementType)
	for _, key := range list.Keys {
		value, ok := object[key]
		if !ok {
			field, _ := element.Map.FindField(key)
			value = field.Default
		}
		out += fmt.Sprintf(" %v", value)
	}
	return out
}

// change takes away, replaces and adds here and there.
func (m *maker) change(ref smd.TypeRef, value any, depth int) any {
	atom, _ := m.schema.Resolve(ref)
	switch typed := value.(type) {
	case map[string]any:
		if atom.Map == nil {
			return m.value(ref, depth, false)
		}
		names := []string{}
		for name := range typed {
			names = append(names, name)
		}
		sort.Strings(names)
		for _, name := range names {
			if name == "managedFields" {
				continue
			}
			tr := atom.Map.ElementType
			if field, ok := atom.Map.FindField(name); ok {
				tr = field.Type
			}
			switch n := m.r.Intn(12); {
			case n == 0 && depth > 0:
				delete(typed, name)
			case n < 6:
				typed[name] = m.change(tr, typed[name], depth+1)
			}
		}
		if atom.Map.Fields != nil && m.r.Intn(3) == 0 {
			extra := m.value(ref, depth+3, false).(map[string]any)
			for _, field := range atom.Map.Fields {
				if _, ok := typed[field.Name]; !ok && extra[field.Name] != nil {
					typed[field.Name] = extra[field.Name]
				}
			}
		}
		return typed
	case []any:
		if atom.List == nil {
			return m.value(ref, depth, false)
		}
		out := []any{}
		for _, item := range typed {
			if m.r.Intn(6) == 0 {
				continue
			}
			if object, ok := item.(map[string]any); ok && m.r.Intn(3) == 0 {
				kept := map[string]any{}
				for _, key := range atom.List.Keys {
					if value, ok := object[key]; ok {
						kept[key] = value
					}
				}
				item = m.change(atom.List.ElementType, item, depth+1)
				for _, key := range atom.List.Keys {
					delete(item.(map[string]any), key)
				}
				for key, value := range kept {
					item.(map[string]any)[key] = value
				}
			}
			out = append(out, item)
		}
		if m.r.Intn(5) == 0 {
			m.r.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
		}
		if m.r.Intn(15) == 0 && len(out) > 0 {
			out = append(out, out[0]) // a duplicate
		}
		return out
	}
	return m.value(ref, depth, false)
}
