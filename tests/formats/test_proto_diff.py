"""How protos differ, against what was recorded of each fork's own file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("grpc_tools.protoc", reason="grpcio-tools is not installed")

from formats.own_protos import proto_of, write_own
from formats.test_schema import _flat, facts, fork_facts

from prototxt_gen.cli import run
from prototxt_gen.formats.dialects import DIALECTS, KNOWN, ORIGINS


@pytest.fixture
def answer(capsys: pytest.CaptureFixture[str]) -> Any:
    def ask(*arguments: object) -> tuple[int, str]:
        code = run(["proto", *map(str, arguments)])
        return code, capsys.readouterr().out

    return ask


def as_facts(declared: dict[str, Any] | None) -> dict[str, Any]:
    """A field of the JSON, with the keys that the records have."""
    assert declared is not None
    found = {key: declared[key] for key in ("number", "label", "type")}
    if declared["default"] is not None:
        found["default"] = declared["default"]
    return found | {key: True for key in ("packed", "deprecated") if declared[key]}


@pytest.mark.parametrize("fork", DIALECTS[1:])
def test_a_forks_own_file_differs_from_bvlc_as_was_recorded(
    fork: str, tmp_path: Path, answer: Any
) -> None:
    file = tmp_path / "fork.proto"
    recorded = facts(fork)
    file.write_text(proto_of(fork_facts(fork), {**facts("bvlc")["enums"], **recorded["enums"]}))
    code, out = answer("diff", file, "--json")
    found = json.loads(out)
    assert (code, found["against"], found["same"]) == (1, "bvlc", False)
    assert sorted(found["messages"]["added"]) == sorted(_flat(recorded["new_messages"]))
    assert sorted(found["messages"]["missing"]) == sorted(recorded["missing_messages"])
    added: dict[str, Any] = {}
    changed: dict[str, Any] = {}
    missing: set[str] = set()
    for name, change in recorded["messages"].items():
        added.update({f"{name}.{k}": v for k, v in change.get("added", {}).items()})
        changed.update(
            {f"{name}.{k}": (v["here"], v["bvlc"]) for k, v in change.get("changed", {}).items()}
        )
        missing.update(f"{name}.{k}" for k in change.get("missing", ()))
    fields = {
        what: {f"{one['message']}.{one['name']}": one for one in ones}
        for what, ones in found["fields"].items()
    }
    assert {k: as_facts(v["here"]) for k, v in fields["added"].items()} == added
    assert set(fields["missing"]) == missing
    assert {
        k: (as_facts(v["here"]), as_facts(v["there"])) for k, v in fields["changed"].items()
    } == changed
    assert found["nearest"] == {"dialect": fork, "fields": 0, "messages": 0, "enum_values": 0}
    assert found["collisions"] == [] or found["collisions"][0]["in"] == ["bvlc"]
    # Each collision is there to be seen in the two records.
    base, own = facts("bvlc")["messages"], fork_facts(fork)
    for one in found["collisions"]:
        if one["here"]["label"] != "value":
            for side, records in (("here", own), ("there", base)):
                field = records[one["owner"]]["fields"][one[side]["name"]]
                assert field["number"] == one["number"]


def collisions(fork: str) -> set[tuple[str, int]]:
    """The numbers that a fork's record gives to another name or type than BVLC's does."""
    base, own = facts("bvlc")["messages"], fork_facts(fork)
    found = set()
    for name in base.keys() & own.keys():
        theirs = {f["number"]: (n, f["type"]) for n, f in base[name]["fields"].items()}
        for field, declared in own[name]["fields"].items():
            number = declared["number"]
            if theirs.get(number, (field, declared["type"])) != (field, declared["type"]):
                found.add((name, number))
    return found


@pytest.mark.parametrize("fork", DIALECTS[1:])
def test_all_collisions_of_fields_are_found(fork: str, answer: Any) -> None:
    ones = json.loads(answer("diff", fork, "--json")[1])["collisions"]
    found = {(o["owner"], o["number"]) for o in ones if o["here"]["label"] != "value"}
    assert found == collisions(fork)


def test_the_known_collision_of_round_mode(answer: Any) -> None:
    out = answer("diff", "intel")[1]
    lines = [line for line in out.splitlines() if line.startswith("! PoolingParameter 13")]
    (line,) = lines
    assert "avg_include_pad (bool) here, round_mode (PoolingParameter.RoundMode) in bvlc" in line
    assert out.index("! ") < min(out.index("\n+ "), out.index("\n- "), out.index("\n~ "))


def test_bvlcs_own_file_is_the_same(tmp_path: Path, answer: Any) -> None:
    file = tmp_path / "caffe.proto"
    wanted = facts("bvlc")
    file.write_text(proto_of(wanted["messages"], wanted["enums"]))
    assert answer("diff", file) == (0, f"{file} declares the same as bvlc\n")
    assert json.loads(answer("diff", file, "--json")[1])["same"] is True


def test_a_private_fork(tmp_path: Path, answer: Any) -> None:
    file = write_own(tmp_path)
    code, out = answer("diff", file)
    assert code == 1
    assert out.splitlines() == [
        "+ GateParameter (4 fields)",
        "+ GateParameter.MarksEntry (2 fields)",
        "+ LayerParameter: optional GateParameter gate_param = 147000",
        "~ PoolingParameter: optional PoolingParameter.PoolMethod pool = 1 [default = MAX] -> "
        "optional PoolingParameter.PoolMethod pool = 31 [default = MAX]",
        f"{file} differs from bvlc: 2 fields, 2 messages",
    ]
    # Its number is free in BVLC's Caffe and in the others; 206 is norm_param in some, 13 is
    # a field of BVLC's and of others.
    text = file.read_text().replace("147000", "206")
    file.write_text(text)
    assert answer("diff", file)[1].startswith(
        "! LayerParameter 206: gate_param (GateParameter) here, norm_param (NormalizeParameter) "
        "in ssd, mobilenet_ssd, x2paddle, "
    )
    other = tmp_path / "other.proto"
    other.write_text(text.replace("gate_param", "door_param"))
    code, out = answer("diff", file, other)
    assert (code, out.splitlines()[0]) == (
        1,
        "! LayerParameter 206: gate_param (GateParameter) here, door_param (GateParameter) in "
        f"{other}",
    )


def test_an_ssd_with_three_fields_more_is_nearest_to_ssd(tmp_path: Path, answer: Any) -> None:
    messages = fork_facts("ssd")
    fields = dict(messages["LayerParameter"]["fields"])
    for number in (901, 902, 903):
        fields[f"own{number}"] = {"number": number, "label": "optional", "type": "int32"}
    messages["LayerParameter"] = {**messages["LayerParameter"], "fields": fields}
    file = tmp_path / "mine.proto"
    file.write_text(proto_of(messages, facts("bvlc")["enums"]))
    out = answer("diff", file)[1]
    assert out.splitlines()[-1] == "of the known Caffes ssd is nearest: 3 fields differ"
    del fields["own901"], fields["own902"]
    messages["LayerParameter"] = {**messages["LayerParameter"], "fields": fields}
    file.with_name("one.proto").write_text(proto_of(messages, facts("bvlc")["enums"]))
    out = answer("diff", file.with_name("one.proto"))[1]
    assert out.endswith("of the known Caffes ssd is nearest: 1 field differs\n")
    assert answer("diff", file, "ssd")[1].splitlines()[:3] == [
        f"+ LayerParameter: optional int32 own{n} = {n}" for n in (901, 902, 903)
    ]


def test_what_cannot_be_read_is_2(tmp_path: Path, answer: Any) -> None:
    assert answer("diff", tmp_path / "nosuch.proto")[0] == 2
    (tmp_path / "bad.proto").write_text("message {")
    assert answer("diff", tmp_path / "bad.proto")[0] == 2
    assert answer("diff", "bvlc", tmp_path / "bad.proto")[0] == 2


def test_the_list_has_every_known_caffe(answer: Any) -> None:
    code, out = answer("list")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()[1:]] == list(KNOWN)
    for name in DIALECTS:
        recorded = facts(name)["facts_of"]
        assert ORIGINS[name].removesuffix(", for PVANET") == recorded
        assert ORIGINS[name] in out
