"""Generates the C++ tables of the API types from upstream's .proto files and Go declarations.

usage: generate.py ROOT TABLES_OUT SCHEME_OUT FILE...
ROOT is the folder that the FILEs' import paths (k8s.io/...) start in.
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import emit_scheme
import emit_tables
from go_source import GoPackage, parse_go, parse_register
from model import Model
from proto_source import parse_proto

# Go files whose package has a .proto, but which hold no API types.
_SKIPPED = ("types_swagger_doc_generated.go", "doc.go")


def load(root, files):
    protos, packages, texts = [], {}, {}
    for path in sorted(files):
        name = os.path.relpath(path, root)
        if path.endswith(".proto"):
            with open(path, encoding="utf-8") as file:
                protos += parse_proto(file.read(), name)
        elif not path.endswith(_SKIPPED):
            texts[name] = path
    wanted = {message.full_name.rsplit(".", 1)[0] for message in protos}
    for name, path in texts.items():
        folder = os.path.dirname(name)
        if folder.replace("/", ".") not in wanted:
            continue
        package = packages.setdefault(folder, GoPackage(folder))
        with open(path, encoding="utf-8") as file:
            text = file.read()
        parse_go(text, package, name)
        if os.path.basename(name) == "register.go":
            parse_register(text, package)
    return packages.values(), protos


def main(argv):
    if len(argv) < 5:
        sys.exit(__doc__)
    root, tables_out, scheme_out = argv[1:4]
    packages, protos = load(root, argv[4:])
    try:
        model = Model(packages, protos)
    except (ValueError, KeyError) as error:
        sys.exit(f"generate.py: {error}")
    with open(tables_out, "w", encoding="utf-8") as out:
        out.write(emit_tables.emit(model))
    with open(scheme_out, "w", encoding="utf-8") as out:
        out.write(emit_scheme.emit(model, protos))


if __name__ == "__main__":
    main(sys.argv)
