"""Protos of forks for tests: a small private one, and any known one, from its recorded facts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prototxt_gen._resources import data_dir

#: A private layer's parameters, in a file of their own and in another package.
ACME = """syntax = "proto2";
package acme.nets;
message GateParameter {
  enum Mode { OPEN = 0; SHUT = 1; }
  optional Mode mode = 1 [default = SHUT];
  optional sint32 gain = 2 [default = -3];
  repeated fixed32 sizes = 3 [packed = true];
  map<string, int32> marks = 4;
}
"""
IMPORT = 'import "parts/acme.proto";\n'
#: A net of the private fork; BVLC has neither gate_param nor this number of `pool`.
NET = """input: "d" input_shape { dim: [1, 3, 8, 8] }
layer { name: "c" type: "Convolution" bottom: "d" top: "c"
        convolution_param { num_output: 4 kernel_size: 3 }
        gate_param { mode: OPEN gain: -4 sizes: [1, 2] marks { key: "a" value: 7 } } }
layer { name: "p" type: "Pooling" bottom: "c" top: "p"
        pooling_param { pool: AVE kernel_size: 2 } }
"""


def write_own(folder: Path, name: str = "caffe.proto") -> Path:
    """A fork's caffe.proto: a layer parameter more, a field renumbered, and an import."""
    text = Path(str(data_dir("proto")), "caffe.proto").read_text("utf-8")
    text = text.replace("package caffe;\n", f"package caffe;\n{IMPORT}", 1)
    text = text.replace(
        "message LayerParameter {\n",
        "message LayerParameter {\n  optional acme.nets.GateParameter gate_param = 147000;\n",
    )
    start = text.index("message PoolingParameter")
    rest = text[start:].replace("PoolMethod pool = 1 ", "PoolMethod pool = 31 ", 1)
    (folder / "parts").mkdir(exist_ok=True)
    (folder / "parts/acme.proto").write_text(ACME)
    (folder / name).write_text(text[:start] + rest)
    return folder / name


def proto_of(messages: Mapping[str, Any], enums: Mapping[str, Mapping[str, int]]) -> str:
    """The text of a .proto with messages as in ``facts``, by their full names."""
    lines = ['syntax = "proto2";', "package caffe;"]
    for name, values in enums.items():
        lines += _enum(name, values)
    for name in messages:
        if "." not in name:
            lines += _message(name, messages)
    return "\n".join(lines) + "\n"


def _message(name: str, messages: Mapping[str, Any]) -> list[str]:
    lines = [f"message {name.rpartition('.')[2]} {{"]
    for enum, values in messages[name].get("enums", {}).items():
        lines += _enum(enum, values)
    for inner in messages:
        if inner.rpartition(".")[0] == name:
            lines += _message(inner, messages)
    for field, facts in messages[name]["fields"].items():
        scalar = re.fullmatch(r"[a-z0-9]+", facts["type"])
        type = facts["type"] if scalar else f".caffe.{facts['type']}"
        quoted = f'"{facts.get("default")}"' if type in ("string", "bytes") else None
        options = [f"default = {quoted or facts['default']}"] if "default" in facts else []
        options += [f"{key} = true" for key in ("packed", "deprecated") if facts.get(key)]
        more = f" [{', '.join(options)}]" if options else ""
        lines.append(f"{facts['label']} {type} {field} = {facts['number']}{more};")
    return [*lines, "}"]


def _enum(name: str, values: Mapping[str, int]) -> list[str]:
    return [f"enum {name} {{", *(f"{key} = {number};" for key, number in values.items()), "}"]
