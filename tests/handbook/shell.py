"""A shell for the commands of a page: those of this package run in this process, to be fast."""

from __future__ import annotations

import io
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from prototxt_gen.cli import run

#: Options after which a process is another one: it knows a schema or layers more, or has children.
_OWN_PROCESS = ("--plugin", "--proto", "--jobs")
_BASH = frozenset("&;()`$*?\\")


class Shell:
    """Commands in a folder."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        """With ``resnet-proto`` and ``python`` of this environment."""
        self.folder, self.patch = folder, patch
        tools = folder.parent / "bin"
        tools.mkdir()
        for name, words in (("resnet-proto", "-m prototxt_gen"), ("python", "")):
            (tools / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {words} "$@"\n')
            (tools / name).chmod(0o755)
        path = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
        self.environment = {
            **os.environ,
            "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join(filter(None, path)),
        }
        patch.chdir(folder)

    def run(self, line: str) -> tuple[int, str]:
        """The exit code and what it prints, on both streams."""
        simple = _simple(line)
        if simple is None:
            done = subprocess.run(
                ["bash", "-o", "pipefail", "-c", line],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            return done.returncode, done.stdout.decode()
        stages, source, target = simple
        given = (self.folder / source).read_bytes() if source else b""
        shown = io.BytesIO()
        code = 0
        for index, words in enumerate(stages):
            last = index == len(stages) - 1
            out = shown if last and not target else io.BytesIO()
            code = self._here(words, given, out, shown) or code
            given = out.getvalue()
        if target:
            (self.folder / target).write_bytes(given)
        return code, shown.getvalue().decode()

    def _here(self, words: list[str], given: bytes, out: io.BytesIO, err: io.BytesIO) -> int:
        streams = {
            "stdin": io.TextIOWrapper(io.BytesIO(given), "utf-8"),
            "stdout": io.TextIOWrapper(out, "utf-8", write_through=True),
            "stderr": io.TextIOWrapper(err, "utf-8", write_through=True),
        }
        with self.patch.context() as patch:
            for name, stream in streams.items():
                patch.setattr(sys, name, stream)
            code = run(words)
        for name in ("stdout", "stderr"):
            streams[name].detach()
        return code


def _simple(line: str) -> tuple[list[list[str]], str, str] | None:
    """Stages, and the files that the first reads and the last writes; None: bash has to read it."""
    reader = shlex.shlex(line, posix=True, punctuation_chars="|<>")
    reader.whitespace_split = True
    words = list(reader)
    bare = shlex.shlex(line, posix=False, punctuation_chars=True)
    bare.whitespace_split = True
    if any(_BASH & set(word) for word in bare if word[0] not in "'\""):
        return None
    stages: list[list[str]] = [[]]
    files = {"<": "", ">": ""}
    rest = iter(words)
    for word in rest:
        if word == "|":
            stages.append([])
        elif word in files:
            files[word] = next(rest)
        else:
            stages[-1].append(word)
    if any(not stage or stage[0] != "resnet-proto" for stage in stages):
        return None
    if any(word.split("=")[0] in _OWN_PROCESS for word in words):
        return None
    return [stage[1:] for stage in stages], files["<"], files[">"]
