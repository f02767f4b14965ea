"""Reads Go type declarations: as much of the language as Kubernetes' API packages use, and an error for the rest."""

import re
from dataclasses import dataclass, field

_IMPORT = re.compile(r'^\s*(?:import\s+)?(?:(\w+)\s+)?"([^"]+)"\s*$')
_STRUCT = re.compile(r"^type\s+(\w+)\s+struct\s*\{(\})?")
_NAMED = re.compile(r"^type\s+(\w+)\s+(?!struct\b|interface\b|func\b)([\w.*\[\]]+)\s*(?://.*)?$")
_FIELD = re.compile(r"^\t(\w+)\s+([\w.*\[\]{}]+)\s*(?:`(.*)`)?\s*(?://.*)?$")
_EMBEDDED = re.compile(r"^\t(\*?[\w.]+)\s*(?:`(.*)`)?\s*(?://.*)?$")
_CONST = re.compile(r'^(?:const\s+|\t)(\w+)\s+(\w+)\s*=\s*"((?:[^"\\]|\\.)*)"')
_BLOCK_COMMENT = re.compile(r"^[ \t]*/\*.*?\*/", re.S | re.M)
_TAG = re.compile(r'(\w+):"((?:[^"\\]|\\.)*)"')


@dataclass
class GoField:
    name: str
    type: str  # as written: *int64, []Container, map[string]string, metav1.Time
    embedded: bool
    tags: dict
    markers: dict  # of the comment: "default" -> ['"TCP"'], "listType" -> ["map"], "optional" -> [""]
    line: int = 0
    comment: list = field(default_factory=list)  # the lines above it, with their slashes


@dataclass
class GoType:
    name: str
    package: "GoPackage"
    kind: str  # struct or named
    underlying: str = ""  # of a named type
    fields: list = field(default_factory=list)
    markers: dict = field(default_factory=dict)
    imports: dict = field(default_factory=dict)  # of the file it is declared in
    problem: str = ""  # why the declaration could not be read; matters only where a message needs it
    comment: list = field(default_factory=list)


@dataclass
class GoPackage:
    path: str  # k8s.io/api/core/v1
    types: dict = field(default_factory=dict)
    constants: list = field(default_factory=list)  # of a named type and a string: (name, type, value, comment)
    registered: list = field(default_factory=list)  # kinds that register.go adds to the scheme
    group: str = None  # GroupName; None where the package is no API group

    @property
    def name(self):
        return self.path.rsplit("/", 1)[-1]

    @property
    def proto_package(self):
        return self.path.replace("/", ".")


def parse_markers(comment_lines):
    """The +name=value lines of a comment."""
    markers = {}
    for line in comment_lines:
        text = line.strip().lstrip("/").strip()
        if text.startswith("+"):
            name, _, value = text[1:].partition("=")
            markers.setdefault(name.strip(), []).append(value.strip())
    return markers


def parse_go(text, package, source):
    """Adds the types of one file to `package`."""
    text = _BLOCK_COMMENT.sub(lambda match: "\n" * match.group(0).count("\n"), text)
    imports = {}
    comment = []
    # Markers such as +genclient stand in a comment of their own above the doc comment, with an empty line between.
    detached = []
    struct = None
    in_import = False
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if struct is None and (line.startswith("import (") or in_import):
            in_import = not stripped.startswith(")")
            if match := _IMPORT.match(line):
                imports[match.group(1) or match.group(2).rsplit("/", 1)[-1]] = match.group(2)
            continue
        if struct is None and line.startswith("import ") and (match := _IMPORT.match(line)):
            imports[match.group(1) or match.group(2).rsplit("/", 1)[-1]] = match.group(2)
            continue
        if stripped.startswith("//"):
            comment.append(stripped)
            continue
        if not stripped:
            if struct is None:
                detached, comment = detached + comment, []
            else:
                comment = []
            continue
        if struct is not None:
            if line.startswith("}"):
                struct = None
            else:
                _add_field(struct, line, comment, f"{source}:{number}", number)
        elif match := _STRUCT.match(line):
            struct = GoType(match.group(1), package, "struct", markers=parse_markers(detached + comment), imports=imports,
                            comment=comment)
            package.types[struct.name] = struct
            if match.group(2):
                struct = None
        elif match := _NAMED.match(line):
            package.types[match.group(1)] = GoType(
                match.group(1), package, "named", underlying=match.group(2),
                markers=parse_markers(detached + comment), imports=imports, comment=comment)
        elif match := _CONST.match(line):
            package.constants.append((*match.groups(), comment))
        comment, detached = [], []


def _add_field(struct, line, comment, place, number):
    if match := _FIELD.match(line):
        name, kind, tags = match.groups()
        embedded = False
    elif match := _EMBEDDED.match(line):
        kind, tags = match.groups()
        name, embedded = kind.lstrip("*").rsplit(".", 1)[-1], True
    else:
        struct.problem = struct.problem or f"{place}: not understood: {line.strip()}"
        return
    markers = parse_markers(comment)
    struct.fields.append(GoField(name, kind, embedded, dict(_TAG.findall(tags or "")), markers, number, comment))


def parse_register(text, package):
    """GroupName and the kinds that AddKnownTypes of a register.go names."""
    if match := re.search(r'GroupName\s*=\s*"([^"]*)"', text):
        package.group = match.group(1)
    for call in re.findall(r"AddKnownTypes\(SchemeGroupVersion,(.*?)\n?\s*\)", text, re.S):
        for alias, kind in re.findall(r"&(?:(\w+)\.)?(\w+)\{\}", call):
            if not alias:
                package.registered.append(kind)
