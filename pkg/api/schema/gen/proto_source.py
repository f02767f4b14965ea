"""Reads the messages of go-to-protobuf's .proto files: one declaration a line, proto2, no nested messages."""

import re
from dataclasses import dataclass, field

_PACKAGE = re.compile(r"^package\s+([\w.]+);")
_MESSAGE = re.compile(r"^message\s+(\w+)\s*\{")
_MAP = re.compile(r"^\s*map<(\w+),\s*([\w.]+)>\s+(\w+)\s*=\s*(\d+)")
_FIELD = re.compile(r"^\s*(optional|repeated|required)\s+([\w.]+)\s+(\w+)\s*=\s*(\d+)")

SCALARS = {"string", "bytes", "bool", "int32", "int64", "uint32", "uint64", "double", "float"}


@dataclass
class ProtoField:
    label: str  # optional, repeated, map
    type: str  # scalar name or full message name; of the value for maps
    name: str
    number: int


@dataclass
class ProtoMessage:
    full_name: str
    fields: list = field(default_factory=list)


def parse_proto(text, source):
    """The messages of one file, with type names resolved to full names. Raises ValueError with file and line."""
    package = ""
    messages = []
    current = None
    for number, line in enumerate(text.splitlines(), 1):
        line = line.split("//")[0] if '"' not in line else line
        if match := _PACKAGE.match(line):
            package = match.group(1)
        elif match := _MESSAGE.match(line):
            current = ProtoMessage(f"{package}.{match.group(1)}")
            messages.append(current)
        elif match := _MAP.match(line):
            if match.group(1) != "string":
                raise ValueError(f"{source}:{number}: a map key that is not a string")
            current.fields.append(ProtoField("map", match.group(2), match.group(3), int(match.group(4))))
        elif match := _FIELD.match(line):
            current.fields.append(ProtoField(match.group(1), match.group(2), match.group(3), int(match.group(4))))
        elif current and re.search(r"=\s*\d+\s*;", line):
            raise ValueError(f"{source}:{number}: not understood: {line.strip()}")
        elif line.startswith("}"):
            current = None
    for message in messages:
        for entry in message.fields:
            entry.type = _resolve(entry.type, package)
    return messages


def _resolve(name, package):
    if name in SCALARS:
        return name
    if name.startswith("."):
        return name[1:]
    # The generator writes full names for everything outside the package.
    return name if "." in name else f"{package}.{name}"
