"""Stores that fail, cut short, and cannot move: nothing is seen half, and nothing is lost."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from fleet.inline import Inline, fill, fleet

from prototxt_gen.cli import run
from prototxt_gen.fleet import stores, transfers
from prototxt_gen.fleet.lock import store_lock
from prototxt_gen.fleet.plan import Plan, plan

fsspec = pytest.importorskip("fsspec", reason="stores need fsspec: pip install resnet-proto[fleet]")
from fsspec.implementations.memory import MemoryFileSystem  # noqa: E402


class Odd(MemoryFileSystem):  # type: ignore[misc]
    """A store of this process whose next calls go wrong; ``seen`` is what a reader could see."""

    protocol = "odd"
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    failing = 0  #: how many calls to come fail
    cutting = 0  #: how many files to come lose their last byte
    moves = True
    broken = ""  #: no file with that in its name can be written
    writes: ClassVar[list[str]] = []

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(MemoryFileSystem._strip_protocol(str(path).replace("odd://", "memory://")))

    def _open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        if "w" in mode:
            Odd.writes.append(path)
        if Odd.failing or ("w" in mode and Odd.broken and Odd.broken in path):
            Odd.failing = max(0, Odd.failing - 1)
            raise ConnectionError("the peer is gone")
        file = super()._open(path, mode, **options)
        if "w" in mode and Odd.cutting:
            Odd.cutting -= 1
            file.write = lambda data: type(file).write(file, data[:-1])
        return file

    def pipe_file(self, path: str, value: bytes, **options: Any) -> None:
        if Odd.cutting:
            Odd.cutting -= 1
            value = value[:-1]
        super().pipe_file(path, value, **options)

    def cp_file(self, path1: str, path2: str, **options: Any) -> None:
        if not Odd.moves:
            raise NotImplementedError
        super().cp_file(path1, path2, **options)


@pytest.fixture(autouse=True)
def odd(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Odd]]:
    fsspec.register_implementation("odd", Odd, clobber=True)
    monkeypatch.setattr(stores, "_PAUSE", 0)
    Odd.store.clear()
    Odd.pseudo_dirs[:] = [""]
    Odd.writes.clear()
    Odd.failing, Odd.cutting, Odd.moves, Odd.broken = 0, 0, True, ""
    yield Odd


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fill(tmp_path_factory.mktemp("fleet") / "models", 2)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "m.onnx"
    made.write_bytes(bytes(range(256)) * 40)
    return made


def test_a_file_appears_whole(file: Path, odd: type[Odd]) -> None:
    sha = transfers.upload(file, "odd://b/x/m.onnx")
    assert list(Odd.store) == ["/b/x/m.onnx"]
    (half,) = Odd.writes
    assert half.startswith("/b/x/.m.onnx.") and half.endswith(".half"), "never under its own name"
    assert stores.read("odd://b/x/m.onnx") == file.read_bytes()
    assert transfers.digest("odd://b/x/m.onnx") == sha


@pytest.mark.parametrize("fault", ["failing", "cutting"])
def test_what_goes_wrong_is_tried_three_times(file: Path, odd: type[Odd], fault: str) -> None:
    setattr(Odd, fault, 2)
    transfers.upload(file, "odd://b/m.onnx")
    assert list(Odd.store) == ["/b/m.onnx"]
    setattr(Odd, fault, 9)
    words = {"failing": "the peer is gone", "cutting": "what was read back is not what was sent"}
    with pytest.raises(stores.StoreError, match=rf"{words[fault]} \(tried 3 times\)") as caught:
        transfers.upload(file, "odd://b/n.onnx")
    assert caught.value.filename == "odd://b/n.onnx"
    assert list(Odd.store) == ["/b/m.onnx"]


def test_a_small_file_is_read_back_too(odd: type[Odd]) -> None:
    Odd.cutting = 2
    stores.write("odd://b/lock.json", b"{} ")
    assert stores.read("odd://b/lock.json") == b"{} " and not Odd.cutting


def test_where_nothing_can_be_moved_a_marker_is_last(file: Path, odd: type[Odd]) -> None:
    Odd.moves = False
    transfers.upload(file, "odd://b/m.onnx")
    assert sorted(Odd.store) == ["/b/m.onnx", "/b/m.onnx.done"]
    assert Odd.writes[-1] == "/b/m.onnx.done"
    Odd.broken = "/b/m.onnx"
    with pytest.raises(stores.StoreError):
        transfers.upload(file, "odd://b/m.onnx")
    assert "/b/m.onnx.done" not in Odd.store, "what may be half has no marker"


def test_a_file_is_fetched_in_pieces_and_whole(tmp_path: Path, odd: type[Odd]) -> None:
    stores.write("odd://b/w.caffemodel", bytes(9 << 20))
    Odd.failing = 2
    transfers.fetch("odd://b/w.caffemodel", tmp_path / "w")
    assert (tmp_path / "w").stat().st_size == 9 << 20
    Odd.failing = 3
    with pytest.raises(stores.StoreError, match="the peer is gone"):
        transfers.fetch("odd://b/w.caffemodel", tmp_path / "v")
    assert not (tmp_path / "v").exists()


def test_from_a_store_into_a_store(models: Path, tmp_path: Path, odd: type[Odd]) -> None:
    for path in models.rglob("net.*"):
        stores.write(f"odd://src/{path.relative_to(models)}", path.read_bytes())
    fleet(str(models), str(tmp_path / "out")).run()
    Odd.failing, Odd.cutting = 1, 1
    rows = fleet("odd://src", "odd://dst/onnx").run()
    assert [row["status"] for row in rows] == ["done", "done"]
    made = {name: Odd.store[name].getvalue() for name in Odd.store if name.startswith("/dst")}
    assert sorted(made) == [
        f"/dst/onnx/{n}" for n in ("m0/net.onnx", "m1/net.onnx", "manifest.jsonl")
    ]
    assert made["/dst/onnx/m0/net.onnx"] == (tmp_path / "out/m0/net.onnx").read_bytes()
    assert [one["path"] for one in rows[0]["inputs"]] == [
        "odd://src/m0/net.prototxt",
        "odd://src/m0/net.caffemodel",
    ]
    machines = Inline()
    fleet("odd://src", "odd://dst/onnx", machines).run()
    assert machines.begun == []
    stores.remove("odd://dst/onnx/m1/net.onnx")
    fleet("odd://src", "odd://dst/onnx", machines, cache=str(tmp_path / "cache")).run()
    assert [task.item.name for task in machines.begun] == ["m1/net"]
    assert len(list((tmp_path / "cache").rglob("net.caffemodel"))) == 1
    (row,) = fleet(Plan(plan("odd://src").items[:1]), "odd://dst/onnx", task="verify").run()
    assert row["verdict"] == "2 blobs agree", row


def test_of_a_store_what_is_clear_by_name_is_not_read(
    models: Path, odd: type[Odd], monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in models.rglob("net.*"):
        stores.write(f"odd://src/{path.relative_to(models)}", path.read_bytes())
    stores.write("odd://src/m1/net.caffemodel", (models / "m0/net.caffemodel").read_bytes())
    read: list[str] = []
    own = stores.opened
    monkeypatch.setattr(stores, "opened", lambda path: read.append(path) or own(path))
    made = plan("odd://src")
    assert read == []
    assert [item.why for item in made.items] == ["of its name, in its folder; not looked into"] * 2
    good, bad = fleet(made, "odd://dst").run()
    assert good["status"] == "done"
    assert bad["reason"] == "refused" and "expected 3x3x3x3" in bad["why"]
    stores.write("odd://src/m1/b.caffemodel", (models / "m1/net.caffemodel").read_bytes())
    for other in ("net_iter_1", "net_iter_2"):
        stores.write(f"odd://src/m0/{other}.caffemodel", b"")
    plan("odd://src")
    assert sorted(set(read)) == [
        f"odd://src/m0/net{n}.caffemodel" for n in ("", "_iter_1", "_iter_2")
    ] + ["odd://src/m1/b.caffemodel"]


def test_a_store_that_does_not_take_a_model_fails_it_alone(models: Path, odd: type[Odd]) -> None:
    Odd.broken = "m0"
    machines = Inline()
    first, second = fleet(str(models), "odd://dst", machines, retries=1).run()
    assert (first["reason"], first["tries"]) == ("storage", 2)
    assert first["why"] == "odd://dst/m0/net.onnx: the peer is gone (tried 3 times)"
    assert second["status"] == "done" and len(machines.begun) == 3
    assert not [name for name in Odd.store if "half" in name or ".resnet-proto" in name]


class Killed(BaseException):
    """The end of a worker, which no handler answers."""


@pytest.mark.parametrize("after", [True, False])
def test_a_worker_that_dies_as_a_model_appears_has_made_it_once(
    models: Path, odd: type[Odd], monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    copy = Odd.cp_file

    def die(self: Odd, path1: str, path2: str, **options: Any) -> None:
        if after:
            copy(self, path1, path2, **options)
        raise Killed

    some = Plan(plan(str(models)).items[:1])
    monkeypatch.setattr(Odd, "cp_file", die)
    with pytest.raises(Killed):
        fleet(some, "odd://dst").run()
    assert ("/dst/m0/net.onnx" in Odd.store) is after
    monkeypatch.setattr(Odd, "cp_file", copy)
    Odd.writes.clear()
    (row,) = fleet(some, "odd://dst").run()
    sent = [path for path in Odd.writes if "net.onnx" in path]
    assert row["status"] == "done" and len(sent) == (0 if after else 1)
    assert sorted(Odd.store) == ["/dst/m0/net.onnx", "/dst/manifest.jsonl"]


def test_what_an_upload_left_is_removed_at_the_next_start(models: Path, odd: type[Odd]) -> None:
    stores.write("odd://dst/x/.a.onnx.0123.half", b"half")
    stores.write("odd://dst/x/a.half", b"mine")
    fleet(Plan(), "odd://dst").run()
    assert [name for name in Odd.store if "half" in name] == ["/dst/x/a.half"]


def test_a_store_is_held_by_one(odd: type[Odd]) -> None:
    with (
        store_lock("odd://dst", "busy"),
        pytest.raises(OSError, match=r"busy: process \d+ on "),
        store_lock("odd://dst", "busy"),
    ):
        pass
    assert not Odd.store
    old = {"id": "x", "time": time.time() - 1000}
    stores.write("odd://dst/.resnet-proto/lock.json", json.dumps(old).encode())
    with store_lock("odd://dst", "busy"):
        pass


def test_a_url_of_no_known_store_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["fleet", "nosuch://x", "-o", "/tmp/none", "--plan", "/tmp/none/p.csv"]) == 2
    assert "nosuch" in capsys.readouterr().err
