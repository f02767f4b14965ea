package main

import (
	"math/rand"
	"reflect"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Few different values keep the committed file small; each is here because some rule treats it specially.
var (
	texts = []string{
		"", "a", "name", "web-1", "<b>&", "line\nbreak", "tab\t\"quote\"\\", "ünïcödé", "\u2028", "true", "1e3", "08:30", "~",
		"2020-01-01", "- x", "a: b", "#c", " lead", "trail ", "x: ", "null", "0x1F", "\x01", "😀", "a #b", "1_000", "y", "=", "<<",
		"a long text that goes on beyond the eightieth column so that a writer that folds lines has to fold this one somewhere",
		"two\nlines and a break at the end\n", "\n", "'single'", "%percent", "@at", "`tick`", "a'b: c", "multi\n\n\nbreaks\n\n",
	}
	quantities = []string{"0", "1", "100m", "1500m", "0.5", "1Gi", "1e3", "128Mi", "1.5Gi", "12E", "1000", "1024Ki", "3.14159", "100n", "-5", "1000000"}
	raws       = []string{`{"a":[1,2.5,"x"],"apiVersion":"v1","kind":"X"}`, `"text"`, `{}`, `[null,true]`}
)

type filler struct{ *rand.Rand }

func (f filler) text() string { return texts[f.Intn(len(texts))] }

// fill sets v to something random. Go tells nil from empty lists and maps, the wire does not: empty ones are left nil.
func (f filler) fill(v reflect.Value, depth int) {
	switch v.Addr().Interface().(type) {
	case *metav1.TypeMeta:
		return
	case *metav1.Time:
		if f.Intn(4) > 0 {
			v.Set(reflect.ValueOf(metav1.Time{Time: time.Unix(f.Int63n(4e9), 0)}))
		}
		return
	case *metav1.MicroTime:
		if f.Intn(4) > 0 {
			v.Set(reflect.ValueOf(metav1.MicroTime{Time: time.Unix(f.Int63n(4e9), f.Int63n(1e6)*1000)}))
		}
		return
	case *metav1.Duration:
		v.Set(reflect.ValueOf(metav1.Duration{Duration: time.Duration(f.Int63n(1e14))}))
		return
	case *resource.Quantity:
		v.Set(reflect.ValueOf(resource.MustParse(quantities[f.Intn(len(quantities))])))
		return
	case *intstr.IntOrString:
		if f.Intn(2) == 0 {
			v.Set(reflect.ValueOf(intstr.FromInt32(f.Int31())))
		} else {
			v.Set(reflect.ValueOf(intstr.FromString(f.text())))
		}
		return
	case *runtime.RawExtension:
		if f.Intn(4) > 0 {
			v.Set(reflect.ValueOf(runtime.RawExtension{Raw: []byte(raws[f.Intn(len(raws))])}))
		}
		return
	case *metav1.FieldsV1:
		v.Set(reflect.ValueOf(metav1.FieldsV1{Raw: []byte(`{"f:metadata":{"f:labels":{".":{}}}}`)}))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := 0; i < v.NumField(); i++ {
			if v.Type().Field(i).IsExported() {
				f.fill(v.Field(i), depth+1)
			}
		}
	case reflect.Pointer:
		if f.keep(depth) {
			v.Set(reflect.New(v.Type().Elem()))
			f.fill(v.Elem(), depth+1)
			// A pointer to the zero time prints as null, which reads back as no pointer.
			if time, ok := v.Interface().(interface{ IsZero() bool }); ok && time.IsZero() {
				v.SetZero()
			}
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			if text := f.text(); text != "" {
				v.SetBytes([]byte(text))
			}
			return
		}
		if !f.keep(depth) {
			return
		}
		n := 1 + f.Intn(2)
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := 0; i < n; i++ {
			f.fill(v.Index(i), depth+1)
		}
	case reflect.Map:
		if !f.keep(depth) {
			return
		}
		v.Set(reflect.MakeMap(v.Type()))
		for n := f.Intn(3); n >= 0; n-- {
			key := reflect.New(v.Type().Key()).Elem()
			// Distinct letters: upstream's order of keys with digits is no order (a1b < a9 < a10 < a1b), its output random.
			key.SetString(string(rune('a'+3*n+f.Intn(3))) + f.text())
			value := reflect.New(v.Type().Elem()).Elem()
			f.fill(value, depth+1)
			if value.Kind() != reflect.Slice || !value.IsNil() {
				v.SetMapIndex(key, value)
			}
		}
		if v.Len() == 0 {
			v.SetZero()
		}
	case reflect.String:
		if f.Intn(3) > 0 {
			v.SetString(f.text())
		}
	case reflect.Bool:
		v.SetBool(f.Intn(2) == 0)
	case reflect.Int32:
		v.SetInt(int64(f.Int31()) * int64(f.Intn(3)-1))
	case reflect.Int64:
		v.SetInt(f.Int63() * int64(f.Intn(3)-1))
	case reflect.Float64:
		v.SetFloat(f.NormFloat64())
	default:
		panic("cannot fill " + v.Type().String())
	}
}

// keep decides whether an optional thing is there: often near the top, seldom deep down.
func (f filler) keep(depth int) bool { return f.Float64() < 1.6/float64(depth) }
