"""C++ TextFormat, Caffe's own parser, as a second opinion: ``protoc --encode``.

protoc runs inside a small server process that forks for each text, since starting it anew
takes a hundred times as long. Run as a script, this file is that server.
"""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import BinaryIO


class Protoc:
    """Encodes texts; use it as a context."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._sets: dict[str, Path] = {}
        self._server = subprocess.Popen(
            [sys.executable, __file__, self._folder.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def encode(self, text: bytes, message: str, dialect: str = "bvlc") -> bytes | None:
        """The binary form of a text; None where C++ refuses it.

        A missing required field passes, as it does in protoc and not in Caffe.
        """
        assert self._server.stdin and self._server.stdout
        for part in (str(self._descriptors(dialect)).encode(), message.encode(), text):
            self._server.stdin.write(struct.pack("<q", len(part)) + part)
        self._server.stdin.flush()
        (size,) = struct.unpack("<q", self._server.stdout.read(8))
        return None if size < 0 else self._server.stdout.read(size)

    def close(self) -> None:
        """End the server."""
        assert self._server.stdin and self._server.stdout
        self._server.stdin.close()
        self._server.wait()
        self._server.stdout.close()
        self._folder.cleanup()

    def _descriptors(self, dialect: str) -> Path:
        from google.protobuf.descriptor_pb2 import FileDescriptorSet

        from prototxt_gen.formats.dialects import declarations

        if dialect not in self._sets:
            path = Path(self._folder.name, f"{dialect}.binpb")
            files = FileDescriptorSet(file=[declarations(dialect)])
            path.write_bytes(files.SerializeToString())
            self._sets[dialect] = path
        return self._sets[dialect]


def _serve(folder: str) -> None:
    from grpc_tools import _protoc_compiler

    source, target = Path(folder, "in"), Path(folder, "out")
    while True:
        parts = [_part(sys.stdin.buffer) for _ in range(3)]
        if not parts[0]:
            return
        descriptors, message, text = parts
        source.write_bytes(text)
        child = os.fork()
        if not child:
            os.dup2(os.open(source, os.O_RDONLY), 0)
            os.dup2(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 1)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            arguments = [b"protoc", b"--descriptor_set_in=" + descriptors]
            os._exit(_protoc_compiler.run_main([*arguments, b"--encode=caffe." + message]))
        accepted = os.waitpid(child, 0)[1] == 0
        answer = target.read_bytes() if accepted else b""
        size = len(answer) if accepted else -1
        sys.stdout.buffer.write(struct.pack("<q", size) + answer)
        sys.stdout.buffer.flush()


def _part(stream: BinaryIO) -> bytes:
    size = stream.read(8)
    return stream.read(struct.unpack("<q", size)[0]) if size else b""


if __name__ == "__main__":
    _serve(sys.argv[1])
