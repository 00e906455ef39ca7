"""A .proto file compiled by protoc, in a process of its own.

protoc is that of grpcio-tools: the parser, the rules and the words of the compiler that a
Caffe is built with. It has neither a shell nor a plugin, sees no file outside the folder of
the .proto, and nothing of the working folder is imported.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from google.protobuf.descriptor_pb2 import FileDescriptorSet

from prototxt_gen._halves import remove_half, taken_back
from prototxt_gen._limits import HINT, at_most
from prototxt_gen.diagnostics import Sink, Source, Span
from prototxt_gen.errors import ParseError, PrototxtError

SECONDS = 60  #: protoc takes a tenth of a second for the caffe.proto of any fork
_LARGEST = 16 << 20  #: of the .proto, and of what is compiled
_TAB = 8  #: how far protoc counts a tab to go (tokenizer.cc)
_PLACE = re.compile(r"(?P<file>.+?):(?:(?P<line>\d+):(?P<column>\d+):)? (?P<text>.*)")


def compile_proto(path: str | os.PathLike[str], seconds: float = SECONDS) -> FileDescriptorSet:
    """The descriptors of a .proto file and of all that it imports; its own are the last.

    Imports are relative to the folder of the file. Raises ParseError with the places of all
    errors, PrototxtError where grpcio-tools is not installed, and OSError.
    """
    if find_spec("grpc_tools") is None:
        raise PrototxtError(
            "to compile a .proto file needs grpcio-tools: pip install 'resnet-proto[proto]'"
        )
    file = Path(path)
    if not file.is_file():
        os.stat(path)
        raise ParseError(f"{path}: not a regular file; expected a .proto file")
    most = at_most(_LARGEST)
    if file.stat().st_size > most:
        raise ParseError(f"{path}: has more than {most} bytes; expected a .proto file ({HINT})")
    with (
        TemporaryDirectory(prefix="resnet-proto-") as folder,
        taken_back(partial(remove_half, Path(folder))),
    ):
        out = Path(folder, "out.binpb")
        visible = _visible(file, Path(folder))
        code, said = _run(visible, out, folder, seconds)
        if code is None:
            raise ParseError(f"{path}: protoc was not done after {seconds:g} seconds")
        if code != 0:
            # It names files as it sees them.
            _fail(file, said.replace(f"{visible.parent}{os.sep}", ""))
        if out.stat().st_size > most:
            raise ParseError(f"{path}: its declarations have more than {most} bytes ({HINT})")
        return FileDescriptorSet.FromString(out.read_bytes())


def _visible(file: Path, folder: Path) -> Path:
    """A path of the file whose folder protoc does not take for several, or for a mapping."""
    found = Path(os.path.abspath(file))
    if os.pathsep not in str(found.parent) and "=" not in str(found.parent):
        return found
    link = folder / "here"
    link.symlink_to(found.parent, target_is_directory=True)
    return link / found.name


def _run(file: Path, out: Path, folder: str, seconds: float) -> tuple[int | None, str]:
    """The exit code of protoc, None if it took too long, and what it said."""
    # -P, and a working folder of its own: no module beside the user's files is imported.
    command = [sys.executable, "-P", "-m", "grpc_tools.protoc", f"-I{file.parent}"]
    command += ["--include_imports", f"--descriptor_set_out={out}", str(file)]
    process = subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    with process, taken_back(process.kill):
        try:
            said = process.communicate(timeout=seconds)[1]
        except subprocess.TimeoutExpired:
            process.kill()
            return None, ""
    return process.returncode, said.decode("utf-8", "replace")


def _fail(main: Path, said: str) -> None:
    """Raise ParseError with what protoc said, at its places in the first file with errors.

    What it said of other files comes without a place, and with it in the words.
    """
    found = [match for line in said.splitlines() if (match := _PLACE.fullmatch(line))]
    errors = [match for match in found if not match["text"].startswith("warning: ")]
    names = [match["file"] for match in errors if match["line"]]
    file = main.parent / names[0] if names else main
    source = Source(_content(file), str(file))
    sink = Sink(source)
    for match in errors:
        if not match["line"]:
            # If it is an import that is not there, protoc says so at its place too.
            if not names:
                sink.error("proto", match["text"])
        elif match["file"] == names[0]:
            place = _offset(source, int(match["line"]), int(match["column"]))
            sink.error("proto", match["text"], span=Span(place, place + 1))
        else:
            sink.error("proto", f"{main.parent / match[0]}")
    if not sink.errors:
        sink.error("proto", f"protoc failed: {said.strip()[-300:] or 'it said nothing'}")
    sink.fail(ParseError)


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""


def _offset(source: Source, line: int, column: int) -> int:
    """The byte offset of a place as protoc counts: bytes, with tabs to the next stop."""
    lines = source.data.split(b"\n")
    start = sum(len(one) + 1 for one in lines[: line - 1])
    at, reached = 0, 1
    text = lines[line - 1] if line <= len(lines) else b""
    while reached < column and at < len(text):
        reached += _TAB - (reached - 1) % _TAB if text[at] == 9 else 1
        at += 1
    return min(start + at, len(source.data))
