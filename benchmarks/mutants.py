"""Break the code in one place at a time, and see whether a test notices.

    python benchmarks/mutants.py --count 60 --out mutants.jsonl

Works on a copy of the checkout. What is broken is drawn at random, by ``--seed``, from the rooms
in turn, so that any beginning of the sample is spread over all of them. What ``--out`` has
already is not done again; ``--again survived`` does so for those that survived. mutants.md lists
the survivors that change no behaviour.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = "prototxt_gen"
ROOMS = ("layers", "graph", "passes", "formats/upgrade", "generate", "to_onnx")
TESTS = {
    "layers": ["tests/layers"],
    "graph": [
        "tests/graph",
        "tests/weights",
        "tests/passes",
        "tests/verify/test_tolerance.py",
        "tests/to_onnx/test_weights.py",
        "tests/layers/test_cases.py",
        "tests/verify/test_deploy.py",
        "tests/to_onnx/test_convert.py",
        "tests/test_summary.py",
    ],
    "passes": [
        "tests/verify/test_deploy.py",
        "tests/passes",
        "tests/weights",
        "tests/to_onnx/test_convert.py",
        "tests/to_onnx/test_batch.py",
        "tests/verify/test_transform.py",
        "tests/verify/test_verify.py",
    ],
    "formats/upgrade": [
        "tests/formats/test_upgrade.py",
        "tests/formats/test_upgrade_tables.py",
        "tests/formats/test_upgrade_edges.py",
        "tests/graph/test_check.py",
        "tests/formats/test_oracles.py",
    ],
    "generate": [
        "tests/generate/test_nets.py",
        "tests/generate/test_solver.py",
        "tests/generate/test_sources.py",
        "tests/generate",
        "tests/cli",
    ],
    "to_onnx": [
        "tests/to_onnx/test_builder.py",
        "tests/to_onnx/test_axes.py",
        "tests/to_onnx/test_batch.py",
        "tests/to_onnx/test_convert.py",
        "tests/to_onnx/test_weights.py",
        "tests/to_onnx/test_published.py",
        "tests/graph/test_extremes.py",
        "tests/test_pairs.py",
        "tests/verify/test_verify.py",
        "tests/to_onnx/test_layer_cases.py",
    ],
}
#: Tests that have a case for each recording: those with the layer's type are run, at the oldest
#: opset, the usual one and the newest that there is here.
RECORDED = "tests/to_onnx/test_recorded.py::"
OPSETS = (11, 17, *range(22, 29))
RECORDED_TESTS = (
    "test_the_reference_gives_what_caffe_gave[{}]",
    *(f"test_onnxruntime_gives_what_caffe_gave[{{}}-{opset}]" for opset in OPSETS),
    "test_a_free_batch_runs_at_two_sizes[{}]",
)
SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Add,
    ast.And: ast.Or,
    ast.Or: ast.And,
}
WORD = re.compile(r"[A-Za-z_][\w./]*")
#: Seconds of the processor for the tests of one mutant, which take 20 to 60 where nothing is wrong,
#: and by the clock: on a busy machine a mutant that survives is not to look like one that hangs.
LIMIT, CLOCK = 180, 900
MEMORY = 12 << 30


@dataclass(frozen=True)
class Mutant:
    """One change of one file: what stands at a place, and what is put there."""

    file: str  #: from the root of the checkout
    line: int
    column: int
    what: str
    start: int  #: in bytes
    end: int
    text: str

    @property
    def id(self) -> str:
        """The same in each run, as long as the file is."""
        return f"{self.file}:{self.line}:{self.column}:{self.what}"

    @property
    def room(self) -> str:
        """The part of the program that it is in."""
        return next(room for room in ROOMS if self.file.startswith(f"{PACKAGE}/{room}/"))

    def apply(self, source: bytes) -> bytes:
        """The file as it becomes."""
        return source[: self.start] + self.text.encode() + source[self.end :]


def mutants(file: str) -> Iterator[Mutant]:
    """All that could be changed in a file."""
    source = (ROOT / file).read_bytes()
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))

    def made(node: ast.expr | ast.stmt, what: str, text: str) -> Mutant:
        start = starts[node.lineno - 1] + node.col_offset
        end = starts[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0)
        return Mutant(file, node.lineno, node.col_offset, what, start, end, text)

    for node in _walk(ast.parse(source)):
        yield from _changes(node, made)


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """Every node that is run: no annotations, docstrings, texts for people."""
    skipped: set[int] = set()
    if isinstance(node, ast.JoinedStr):
        return
    if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
        return
    for name in ("annotation", "returns"):
        skipped.add(id(getattr(node, name, None)))
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return
    yield node
    for child in ast.iter_child_nodes(node):
        if id(child) not in skipped:
            yield from _walk(child)


def _changes(node: ast.AST, made: Callable[..., Mutant]) -> Iterator[Mutant]:
    if isinstance(node, ast.Compare):
        for index, operator in enumerate(node.ops):
            ops = [*node.ops]
            ops[index] = SWAPS[type(operator)]()  # type: ignore[call-overload]
            changed = ast.Compare(node.left, ops, node.comparators)
            yield made(node, f"compare{index}", f"({ast.unparse(changed)})")
    elif isinstance(node, ast.BinOp) and type(node.op) in SWAPS:
        changed_op = ast.BinOp(node.left, SWAPS[type(node.op)](), node.right)  # type: ignore
        yield made(node, "arithmetic", f"({ast.unparse(changed_op)})")
    elif isinstance(node, ast.BoolOp):
        changed_bool = ast.BoolOp(SWAPS[type(node.op)](), node.values)  # type: ignore
        yield made(node, "and-or", f"({ast.unparse(changed_bool)})")
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
        yield made(node, "sign", f"({ast.unparse(node.operand)})")
    elif isinstance(node, ast.Constant):
        yield from _constants(node, made)
    elif isinstance(node, ast.Return) and node.value is not None:
        yield made(node, "return", "return None")
    elif isinstance(node, ast.If | ast.IfExp):
        for forced in ("True", "False"):
            yield made(node.test, f"if-{forced}", f"({forced})")
    elif isinstance(node, ast.comprehension):
        for test in node.ifs:
            yield made(test, "filter-True", "(True)")


def _constants(node: ast.Constant, made: Callable[..., Mutant]) -> Iterator[Mutant]:
    value = node.value
    if isinstance(value, bool):
        yield made(node, "constant", str(not value))
    elif isinstance(value, int | float):
        yield made(node, "constant", repr(value + 1))
    elif isinstance(value, str) and WORD.fullmatch(value):
        yield made(node, "constant", repr(value + "_"))


def sample(seed: int) -> list[Mutant]:
    """All mutants in a random order, the rooms in turn, and in each the kinds of change."""
    generator = random.Random(seed)
    rooms: list[list[Mutant]] = []
    for room in ROOMS:
        kinds: dict[str, list[Mutant]] = {}
        for path in sorted((ROOT / PACKAGE / room).rglob("*.py")):
            for mutant in mutants(path.relative_to(ROOT).as_posix()):
                kinds.setdefault(mutant.what.rstrip("01"), []).append(mutant)
        for found in kinds.values():
            generator.shuffle(found)
        rooms.append(_in_turn(list(kinds.values())))
    return _in_turn(rooms)


def _in_turn(lists: list[list[Mutant]]) -> list[Mutant]:
    longest = max(map(len, lists))
    return [found[i] for i in range(longest) for found in lists if i < len(found)]


def tests_of(mutant: Mutant) -> list[str]:
    """The tests to run, the quick ones first."""
    found = list(TESTS[mutant.room])
    if mutant.room == "layers":
        found += [*_cases(_types(Path(mutant.file))), "tests/to_onnx/test_layer_cases.py"]
        found += ["tests/graph/test_golden_shapes.py", "tests/weights", "tests/passes"]
        found += ["tests/to_onnx/test_axes.py", "tests/to_onnx/test_convert.py"]
        found += ["tests/test_own_layer.py"]
    elif mutant.room == "to_onnx":
        found += _cases(_types(Path()))[::3]
    return found


def _types(path: Path) -> list[str]:
    """The layer types of a module of ``layers``; all for what serves several."""
    table = ast.literal_eval(
        re.search(r"MODULES[^=]*= (\{.*?\n\})", _text("layers/__init__.py"), re.S)[1]  # type: ignore
    )
    return [name for name, module in table.items() if path.stem == module] or list(table)


def _text(path: str) -> str:
    return (ROOT / PACKAGE / path).read_text("utf-8")


def _cases(types: list[str]) -> list[str]:
    """The recordings that have one of the types."""
    found = []
    for net in sorted((ROOT / "tests/golden").glob("*/*/net.prototxt")):
        if any(f'"{name}"' in net.read_text("utf-8") for name in types):
            case = f"{net.parts[-3]}/{net.parts[-2]}"
            found += [RECORDED + test.format(case) for test in RECORDED_TESTS]
    return found


class Copy:
    """A copy of the checkout, and Python with what is slow already imported.

    What pytest rewrites (hypothesis has such a part) has to be imported by pytest itself.
    """

    def __init__(self, folder: Path) -> None:
        self.root = folder
        listed = subprocess.check_output(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT)
        for name in listed.decode().splitlines():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / name).is_file():
                shutil.copy2(ROOT / name, target)
        os.environ.setdefault("PROTOTXT_CORPUS", str((ROOT / "../shared/corpus").resolve()))
        subprocess.run([sys.executable, "-m", "compileall", "-q", PACKAGE, "tests"], cwd=folder)
        self._known = set(self._collected())
        self._sound: set[str] = set()
        import google.protobuf.text_format
        import numpy
        import onnx.checker
        import onnxruntime
        import pytest

        del google, numpy, onnx, onnxruntime, pytest

    def _has(self, test: str) -> bool:
        return test in self._known if "[" in test else (self.root / test.split("::")[0]).exists()

    def _collected(self) -> list[str]:
        # With a second -q, beside the one of pyproject.toml, pytest would only give their number.
        options = ["-o", "addopts=", "--collect-only", "-q"]
        command = [sys.executable, "-m", "pytest", *options, RECORDED[:-2]]
        done = subprocess.run(command, cwd=self.root, capture_output=True, text=True)
        found = [line for line in done.stdout.splitlines() if "::" in line]
        if not found:
            raise SystemExit(f"pytest finds no tests in {RECORDED[:-2]}:\n{done.stdout}")
        return found

    def run(self, mutant: Mutant) -> tuple[str, str]:
        """``killed``, ``survived`` or ``timed out``, and the first test that failed."""
        tests = [t for t in tests_of(mutant) if self._has(t)]
        if mutant.room not in self._sound:
            status, test = self._tested(tests)
            if status != "survived":
                raise SystemExit(f"{mutant.room}: {test} is {status} though nothing is broken")
            self._sound.add(mutant.room)
        path = self.root / mutant.file
        source, state = path.read_bytes(), path.stat()
        path.write_bytes(mutant.apply(source))
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns + 10**10))
        try:
            return self._tested(tests)
        finally:
            path.write_bytes(source)
            os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))

    def _tested(self, tests: list[str]) -> tuple[str, str]:
        output = self.root / "output.txt"
        child = os.fork()
        if not child:
            self._child(tests, output)
        end = time.monotonic() + CLOCK
        while time.monotonic() < end:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                code = os.waitstatus_to_exitcode(status)
                text = output.read_text("utf-8", "replace")
                failed = re.search(r"^(?:FAILED|ERROR) (\S+)", text, re.M)
                if code == -signal.SIGXCPU:
                    return "timed out", ""
                if code in (4, 5):
                    raise SystemExit(f"pytest could not be run:\n{text}")
                return "killed" if code else "survived", failed[1] if failed else ""
            time.sleep(0.05)
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return "timed out", ""

    def _child(self, tests: list[str], output: Path) -> None:
        """Runs the tests in this process, and ends it."""
        import pytest

        os.setsid()
        os.chdir(self.root)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (LIMIT, CLOCK))
        sys.dont_write_bytecode = True
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
        sys.path[0] = str(self.root)
        file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, 1)
        os.dup2(file, 2)
        options = ["-x", "-q", "-n", "0", "-p", "no:cacheprovider", "-rfE", "--tb=line"]
        # A busy machine makes the first fail, and the limit on memory the others.
        options += ["-k", "not time_grows and not gigabytes"]
        code = 4
        try:
            code = int(pytest.main([*options, *tests]))
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)


def show(mutant: Mutant, root: Path) -> str:
    """The lines that change, in a checkout."""
    source = (root / mutant.file).read_bytes()
    old, new = source.decode().splitlines(), mutant.apply(source).decode().splitlines()
    lines = list(difflib.unified_diff(old, new, lineterm="", n=0))[3:]
    return "\n".join(lines)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--count", type=int, default=60, help="how many in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("mutants.jsonl"))
    parser.add_argument("--again", choices=["survived"], help="do those again")
    given = parser.parse_args()
    rows = {}
    if given.out.exists():
        rows = {row["id"]: row for row in map(json.loads, given.out.read_text().splitlines())}
    again = {id for id, row in rows.items() if row["status"] == given.again}
    chosen = sample(given.seed)[: given.count]
    with tempfile.TemporaryDirectory() as folder:
        copy = Copy(Path(folder))
        for mutant in chosen:
            if mutant.id in rows and mutant.id not in again:
                continue
            start = time.monotonic()
            status, test = copy.run(mutant)
            seconds = round(time.monotonic() - start, 1)
            row = {"id": mutant.id, "status": status, "test": test, "seconds": seconds}
            rows[mutant.id] = row = {**row, "diff": show(mutant, copy.root)}
            with given.out.open("a") as file:
                file.write(json.dumps(row) + "\n")
            print(f"{status:9} {seconds:6.1f} s  {mutant.id}  {test}", flush=True)
            if status != "killed":
                print(row["diff"], flush=True)
    found = Counter(rows[mutant.id]["status"] for mutant in chosen)
    print(", ".join(f"{number} {status}" for status, number in found.items()))


if __name__ == "__main__":
    main()
