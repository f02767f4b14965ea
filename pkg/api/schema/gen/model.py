"""Joins .proto messages with the Go types they were generated from: one Message per .proto message."""

from dataclasses import dataclass, field

from proto_source import SCALARS

# Types whose JSON form is written by hand in Go (MarshalJSON) or is not that of their message.
SPECIAL = {
    "k8s.io.apimachinery.pkg.api.resource.Quantity": "kQuantity",
    "k8s.io.apimachinery.pkg.api.resource.QuantityValue": "kQuantity",
    "k8s.io.apimachinery.pkg.util.intstr.IntOrString": "kIntOrString",
    "k8s.io.apimachinery.pkg.apis.meta.v1.Time": "kTime",
    "k8s.io.apimachinery.pkg.apis.meta.v1.MicroTime": "kMicroTime",
    "k8s.io.apimachinery.pkg.apis.meta.v1.Duration": "kDuration",
    "k8s.io.apimachinery.pkg.apis.meta.v1.FieldsV1": "kRawJson",
    "k8s.io.apimachinery.pkg.runtime.RawExtension": "kRawJson",
}


@dataclass
class Field:
    json_name: str
    number: int
    shape: str  # kValue, kPointer, kSlice, kMap, kInline
    go_type: str  # as reflect.Type prints it, without the leading pointer
    elem_type: str  # of slices and maps
    message: str  # full name of the (element's) message type, or None
    scalar: str  # proto scalar of the value, or None
    omit_empty: bool
    optional: bool
    extras: dict = field(default_factory=dict)
    comment: list = field(default_factory=list)
    # The values of an enum (+enum), of the field or of its elements: (constant, value, comment).
    enum: list = field(default_factory=list)


@dataclass
class Message:
    full_name: str
    go_name: str  # as reflect.Type.Name prints it: Container
    go_type: str  # v1.Container
    special: str
    type_meta: bool  # embeds metav1.TypeMeta: accepts apiVersion and kind
    fields: list
    holds_quantity: bool = False  # somewhere below: decoding has to check it
    atomic: bool = False  # the type is declared +structType=atomic
    comment: list = field(default_factory=list)


class Model:
    def __init__(self, packages, protos):
        self.packages = {package.path: package for package in packages}
        self.messages = []
        for proto in sorted(protos, key=lambda message: message.full_name):
            self.messages.append(self._join(proto))
        self._check_inline_names()
        self._mark_quantities()

    def _mark_quantities(self):
        by_name = {message.full_name: message for message in self.messages}
        changed = True
        while changed:
            changed = False
            for message in self.messages:
                below = (by_name[entry.message] for entry in message.fields if entry.message)
                holds = message.special == "kQuantity" or any(inner.holds_quantity for inner in below)
                if holds and not message.holds_quantity:
                    message.holds_quantity = changed = True

    def _join(self, proto):
        package_name, name = proto.full_name.rsplit(".", 1)
        path = package_name.replace("k8s.io.", "k8s.io/", 1)
        head, tail = path.split("/", 1)
        package = self.packages[head + "/" + tail.replace(".", "/")]
        go = package.types.get(name)
        special = SPECIAL.get(proto.full_name, "kNone")
        result = Message(proto.full_name, name, f"{package.name}.{name}", special, False, [])
        result.comment = go.comment if go else []
        if special != "kNone":
            return result
        if go is None:
            raise ValueError(f"{proto.full_name}: no Go type {name} in {package.path}")
        if go.kind == "named" and go.underlying.startswith("[]"):
            result.special = "kSliceWrapper"
            result.fields = [Field("items", 1, "kSlice", result.go_type, "string", None, "string", False, True)]
            return result
        result.atomic = "atomic" in go.markers.get("structType", []) + go.markers.get("mapType", [])
        go = self._struct_of(go)
        by_number = {entry.number: entry for entry in proto.fields}
        for entry in go.fields:
            tag = entry.tags.get("protobuf", "").split(",")
            json = entry.tags.get("json", "").split(",")
            if len(tag) < 2:
                if entry.embedded and "inline" in json and entry.type.rsplit(".", 1)[-1] == "TypeMeta":
                    result.type_meta = True
                continue
            number = int(tag[1])
            if number not in by_number:
                raise ValueError(f"{proto.full_name}.{entry.name}: number {number} is not in the .proto file")
            wire = by_number.pop(number)
            if json[0] == "-":
                continue
            result.fields.append(self._field(go, entry, wire, json))
        if by_number:
            raise ValueError(f"{proto.full_name}: no Go field for {sorted(by_number)}")
        return result

    def _struct_of(self, go):
        while go.kind == "named":
            alias, _, name = go.underlying.rpartition(".")
            package = self.packages[go.imports[alias]] if alias else go.package
            go = package.types[name]
        if go.problem:
            raise ValueError(go.problem)
        return go

    def _field(self, go, entry, wire, json):
        written = entry.type
        pointer = written.startswith("*")
        written = written.lstrip("*")
        go_type = self.render(written, go)
        elem = ""
        if wire.label == "map":
            shape, elem = "kMap", self.element(written, go)
        elif wire.label == "repeated":
            shape, elem = "kSlice", self.element(written, go)
        elif entry.embedded and "inline" in json:
            shape = "kInline"
        else:
            shape = "kPointer" if pointer else "kValue"
        if shape in ("kMap", "kSlice") and pointer:
            raise ValueError(f"{go.name}.{entry.name}: a pointer to a list or map")
        markers = entry.markers
        extras = {
            "default": (markers.get("default") or [""])[0],
            "list_type": (markers.get("listType") or [""])[0],
            "list_map_keys": ",".join(markers.get("listMapKey", [])),
            "map_type": (markers.get("mapType") or markers.get("structType") or [""])[0],
            "patch_strategy": entry.tags.get("patchStrategy", ""),
            "patch_merge_key": entry.tags.get("patchMergeKey", ""),
        }
        is_scalar = wire.type in SCALARS
        return Field(
            json_name=json[0] or entry.name,
            number=wire.number,
            shape=shape,
            go_type=go_type,
            elem_type=elem,
            message=None if is_scalar else wire.type,
            scalar=wire.type if is_scalar else None,
            omit_empty="omitempty" in json[1:],
            optional="optional" in markers or "omitempty" in json[1:],
            extras={key: value for key, value in extras.items() if value},
            comment=entry.comment,
            enum=self._enum(written, go),
        )

    def _enum(self, written, go):
        if written.startswith("map["):
            written = written.split("]", 1)[1]
        alias, _, name = written.removeprefix("[]").lstrip("*").rpartition(".")
        package = self.packages.get(go.imports.get(alias)) if alias else go.package
        named = package.types.get(name) if package else None
        if named is None or named.underlying != "string" or "enum" not in named.markers:
            return []
        return [(constant, value, comment) for constant, of, value, comment in package.constants if of == name]

    def render(self, written, go):
        """A type as reflect prints it: package names instead of import aliases."""
        if written.startswith("*"):
            return "*" + self.render(written[1:], go)
        if written.startswith("[]"):
            inner = self.render(written[2:], go)
            return "[]uint8" if inner == "byte" else "[]" + inner
        if written.startswith("map["):
            key, value = written[4:].split("]", 1)
            return f"map[{self.render(key, go)}]{self.render(value, go)}"
        alias, _, name = written.rpartition(".")
        if alias:
            return f"{go.imports[alias].rsplit('/', 1)[-1]}.{name}"
        return f"{go.package.name}.{name}" if name in go.package.types else name

    def element(self, written, go):
        if written.startswith("[]"):
            return self.render(written[2:].lstrip("*"), go)
        if written.startswith("map["):
            return self.render(written.split("]", 1)[1].lstrip("*"), go)
        alias, _, name = written.rpartition(".")
        package = self.packages[go.imports[alias]] if alias else go.package
        named = package.types[name]
        return self.element(named.underlying, named)

    def _check_inline_names(self):
        """Go lets an outer field hide an inlined one; nothing here does, and the codec relies on it."""
        by_name = {message.full_name: message for message in self.messages}

        def names(message):
            for entry in message.fields:
                if entry.shape == "kInline":
                    yield from names(by_name[entry.message])
                else:
                    yield entry.json_name

        for message in self.messages:
            seen = list(names(message))
            if len(seen) != len(set(seen)):
                raise ValueError(f"{message.full_name}: a field hides an inlined one: {sorted(seen)}")
