package main

import (
	"math/rand"
	"reflect"
	"sort"
	"strings"
)

// maker makes objects of a Go type, few fields at a time and values out of small sets, so that patches meet what is there.
type maker struct{ r *rand.Rand }

type field struct {
	name, mergeKey string
	strategies     []string
	typ            reflect.Type
}

func fieldsOf(t reflect.Type) (out []field) {
	for i := 0; i < t.NumField(); i++ {
		f := t.Field(i)
		name := strings.Split(f.Tag.Get("json"), ",")[0]
		if name == "-" {
			continue
		}
		typ := f.Type
		if typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
		if name == "" && f.Anonymous {
			out = append(out, fieldsOf(typ)...)
			continue
		}
		out = append(out, field{name, f.Tag.Get("patchMergeKey"), strings.Split(f.Tag.Get("patchStrategy"), ","), typ})
	}
	return out
}

func (f field) merges() bool {
	for _, strategy := range f.strategies {
		if strategy == "merge" {
			return true
		}
	}
	return false
}

var marshaler = reflect.TypeOf((*interface{ MarshalJSON() ([]byte, error) })(nil)).Elem()

func isStruct(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && !t.Implements(marshaler) && !reflect.PointerTo(t).Implements(marshaler)
}

func element(t reflect.Type) reflect.Type {
	t = t.Elem()
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

func (m *maker) scalar(t reflect.Type) any {
	switch t.Kind() {
	case reflect.Bool:
		return m.r.Intn(2) == 0
	case reflect.Int, reflect.Int32, reflect.Int64:
		return m.r.Intn(4)
	default:
		return pick(m.r, "a", "b", "c", "d")
	}
}

func (m *maker) value(t reflect.Type, depth, limit int) any {
	switch {
	case isStruct(t):
		out := map[string]any{}
		for _, f := range fieldsOf(t) {
			chance := 30
			if f.merges() || depth < 2 && isStruct(f.typ) {
				chance = 75
			}
			if depth < limit && f.name != "managedFields" && m.r.Intn(100) < chance/(1+depth/3) {
				out[f.name] = m.value(f.typ, depth+1, limit)
			}
		}
		return out
	case t.Kind() == reflect.Slice && t.Elem().Kind() != reflect.Uint8:
		out := []any{}
		for i := 1 + m.r.Intn(4); i > 0; i-- {
			out = append(out, m.value(element(t), depth+1, limit))
		}
		return out
	case t.Kind() == reflect.Map:
		out := map[string]any{}
		for i := m.r.Intn(3); i > 0; i-- {
			out[pick(m.r, "k", "l", "m")] = m.value(element(t), depth+1, limit)
		}
		return out
	}
	return m.scalar(t)
}

// keyed gives each element of a merged list its key.
func keyed(list []any, key string, m *maker, t reflect.Type) []any {
	for _, item := range list {
		if object, ok := item.(map[string]any); ok && key != "" {
			for _, f := range fieldsOf(t) {
				if f.name == key && m.r.Intn(60) > 0 {
					object[key] = m.scalar(f.typ)
				}
			}
		}
	}
	return list
}

func unique(list []any) (out []any) {
	seen := map[any]bool{}
	for _, item := range list {
		if !seen[item] {
			out = append(out, item)
		}
		seen[item] = true
	}
	return out
}

func names(object map[string]any) (out []string) {
	for name := range object {
		out = append(out, name)
	}
	sort.Strings(out)
	return out
}

// patch is a change to `live`, which is of type t; it also repairs live's merge keys.
func (m *maker) patch(t reflect.Type, live any, depth int) any {
	out := map[string]any{}
	object, _ := live.(map[string]any)
	if depth > 0 && m.r.Intn(40) == 0 {
		out["$patch"] = pick[any](m.r, "delete", "replace", "merge", 3)
		if m.r.Intn(2) == 0 {
			return out
		}
	}
	for _, f := range fieldsOf(t) {
		present, there := object[f.name]
		if f.name == "managedFields" || !there && m.r.Intn(12) > 0 || there && m.r.Intn(3) == 0 {
			continue
		}
		isList := f.typ.Kind() == reflect.Slice && f.typ.Elem().Kind() != reflect.Uint8
		switch {
		case m.r.Intn(14) == 0:
			out[f.name] = nil
		case isStruct(f.typ):
			out[f.name] = m.patch(f.typ, present, depth+1)
		case isList:
			m.list(f, object, out, depth)
		default:
			out[f.name] = m.value(f.typ, depth, depth+3)
			if m.r.Intn(10) == 0 && f.typ.Kind() == reflect.Map {
				out[f.name].(map[string]any)["k"] = nil
			}
		}
	}
	for _, strategy := range []string{"$retainKeys"} {
		if m.r.Intn(25) == 0 {
			keep := []any{}
			for _, name := range names(out) {
				if !strings.HasPrefix(name, "$") || m.r.Intn(3) == 0 {
					keep = append(keep, name)
				}
			}
			if m.r.Intn(5) == 0 && len(keep) > 0 {
				keep = keep[1:]
			}
			out[strategy] = keep
		}
	}
	return out
}

func (m *maker) list(f field, object, out map[string]any, depth int) {
	t := element(f.typ)
	live, _ := object[f.name].([]any)
	if !f.merges() {
		out[f.name] = m.value(f.typ, depth, depth+3)
		return
	}
	keyed(live, f.mergeKey, m, t)
	if !isStruct(t) {
		// What upstream makes of values that were twice in a merged list depends on the memory behind it.
		live = unique(live)
		if len(live) > 0 {
			object[f.name] = live
		}
	}
	change := []any{}
	for n := m.r.Intn(4); n > 0; n-- {
		if !isStruct(t) {
			change = append(change, m.scalar(t))
			continue
		}
		var item map[string]any
		if len(live) > 0 && m.r.Intn(3) > 0 {
			like, _ := pick(m.r, live...).(map[string]any)
			item = m.patch(t, like, depth+1).(map[string]any)
			if key, ok := like[f.mergeKey]; ok {
				item[f.mergeKey] = key
			}
		} else {
			item = m.value(t, depth, depth+3).(map[string]any)
			keyed([]any{item}, f.mergeKey, m, t)
		}
		if m.r.Intn(8) == 0 {
			item["$patch"] = pick(m.r, "delete", "delete", "delete", "replace", "merge", "x")
		}
		change = append(change, item)
	}
	if !isStruct(t) && m.r.Intn(3) == 0 {
		out["$deleteFromPrimitiveList/"+f.name] = []any{m.scalar(t), m.scalar(t)}
	}
	if m.r.Intn(3) == 0 {
		order := []any{}
		for _, item := range append(append([]any{}, change...), live...) {
			if object, ok := item.(map[string]any); ok {
				if object["$patch"] == "delete" {
					continue
				}
				only := map[string]any{}
				if key, ok := object[f.mergeKey]; ok {
					only[f.mergeKey] = key
				}
				item = only
			}
			if m.r.Intn(5) > 0 {
				order = append(order, item)
			}
		}
		if m.r.Intn(3) == 0 {
			m.r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		}
		out["$setElementOrder/"+f.name] = order
		if m.r.Intn(4) == 0 {
			return
		}
	}
	out[f.name] = change
}
