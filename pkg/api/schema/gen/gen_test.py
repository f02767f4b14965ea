"""Tests of the generator on a made-up package."""

import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import emit_scheme
import emit_tables
from go_source import GoPackage, parse_go, parse_markers, parse_register
from model import Model
from proto_source import parse_proto

PROTO = """
package k8s.io.api.ships.v1;
// Text with = 3; in a comment.
message Ship {
  optional Hull hull = 1;
  repeated string crew = 3;
  map<string, Hull> boats = 4;
  optional int32 oars = 5;
}
message Hull {
  optional string wood = 1;
}
"""

GO = '''
package v1

import (
	"fmt"
	other "k8s.io/apimachinery/pkg/types"
)

// +genclient
// +genclient:nonNamespaced
// +genclient:onlyVerbs=create,get

// Ship is documented.
type Ship struct {
	other.TypeMeta `json:",inline"`
	Hull `json:",inline" protobuf:"bytes,1,opt,name=hull"`
	// crew names
	// +listType=set
	// +optional
	Crew []other.Name `json:"crew,omitempty" protobuf:"bytes,3,rep,name=crew" patchStrategy:"merge"`
	Boats map[string]Hull `json:"boats" protobuf:"bytes,4,rep,name=boats"`
	// +default=12
	Oars *int32 `json:"oars,omitempty" protobuf:"varint,5,opt,name=oars"`
	hidden bool
}

type Hull struct {
	Wood Timber `json:"wood" protobuf:"bytes,1,opt,name=wood"`
}

/* a block comment {
*/
type Timber string
'''


def model_of(go=GO, proto=PROTO):
    package = GoPackage("k8s.io/api/ships/v1")
    parse_go(go, package, "types.go")
    parse_register('const GroupName = "ships.example"\nscheme.AddKnownTypes(SchemeGroupVersion,\n\t&Ship{},\n\t)', package)
    protos = parse_proto(proto, "ships.proto")
    meta = GoPackage("k8s.io/apimachinery/pkg/apis/meta/v1")
    return Model([package, meta], protos), protos


class GeneratorTest(unittest.TestCase):
    def test_fields_follow_the_go_declaration(self):
        model, _ = model_of()
        ship = next(m for m in model.messages if m.go_name == "Ship")
        self.assertTrue(ship.type_meta)
        self.assertEqual([f.json_name for f in ship.fields], ["Hull", "crew", "boats", "oars"])
        hull, crew, boats, oars = ship.fields
        self.assertEqual((hull.shape, crew.shape, boats.shape, oars.shape), ("kInline", "kSlice", "kMap", "kPointer"))
        self.assertEqual((crew.go_type, crew.elem_type), ("[]types.Name", "types.Name"))
        self.assertEqual((boats.go_type, boats.elem_type), ("map[string]v1.Hull", "v1.Hull"))
        self.assertTrue(crew.omit_empty and not boats.omit_empty)
        self.assertEqual(crew.extras, {"list_type": "set", "patch_strategy": "merge"})
        self.assertEqual(oars.extras, {"default": "12"})

    def test_a_proto_field_without_a_go_field_is_an_error(self):
        with self.assertRaisesRegex(ValueError, r"Hull: no Go field for \[9\]"):
            model_of(proto=PROTO.replace("string wood = 1;", "string wood = 1;\n  optional bool tar = 9;"))

    def test_an_inlined_name_that_is_hidden_is_an_error(self):
        with self.assertRaisesRegex(ValueError, "hides an inlined one"):
            model_of(go=GO.replace('json:"crew,omitempty"', 'json:"wood"'))

    def test_an_unknown_declaration_is_an_error_where_it_is_needed(self):
        with self.assertRaisesRegex(ValueError, r"types.go:\d+: not understood"):
            model_of(go=GO.replace("Wood Timber", "Wood func(int) Timber"))

    def test_the_scheme_follows_genclient(self):
        text = emit_scheme.emit(*model_of())
        self.assertIn('{"ships.example", "v1", "Ship", "ships", false, kCreate | kGet, '
                      "&Prototype<::k8s::io::api::ships::v1::Ship>}", text)

    def test_plurals_are_upstreams(self):
        self.assertEqual([emit_scheme.plural(k) for k in ("Ingress", "NetworkPolicy", "Endpoints", "Pod")],
                         ["ingresses", "networkpolicies", "endpoints", "pods"])

    def test_markers_are_read_with_and_without_values(self):
        self.assertEqual(parse_markers(["// text", "// +optional", "// +listMapKey=a", "// +listMapKey=b"]),
                         {"optional": [""], "listMapKey": ["a", "b"]})

    def test_tables_have_one_row_per_message_and_field(self):
        text = emit_tables.emit(model_of()[0])
        self.assertIn("kMessageCount = 2;", text)
        self.assertIn("// Ship.oars", text)


if __name__ == "__main__":
    unittest.main()
