"""``resnet-proto proto``: compare a caffe.proto with those of known Caffes, and list these."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from prototxt_gen._words import plural
from prototxt_gen.cli.options import as_json as json_of
from prototxt_gen.cli.options import write_output
from prototxt_gen.cli.output import print_line
from prototxt_gen.cli.tables import print_table

if TYPE_CHECKING:
    from prototxt_gen.formats.difference import (
        Change,
        Collision,
        Declarations,
        Declared,
        Difference,
    )

_HEADS = ("dialect", "from", "messages", "fields", "differs from bvlc")


@click.group("proto", short_help="Compare a caffe.proto with those of known Caffes.")
def command() -> None:
    """Compare a caffe.proto with those of known Caffes; --proto of other commands reads by it."""


@command.command("list", short_help="List the known Caffes.")
def list_() -> None:
    """List the Caffes whose schema is known, each with its origin and its size."""
    from prototxt_gen.formats.dialects import KNOWN, ORIGINS, RELEASES
    from prototxt_gen.formats.difference import Difference, known

    rows = []
    for name in KNOWN:
        found = known(name)
        origin = ORIGINS.get(name) or f"a release of {ORIGINS[RELEASES[name]]}"
        size = _sizes(Difference(found, known("bvlc"))) if name != "bvlc" else ""
        fields = sum(map(len, found.messages.values()))
        rows.append((name, origin, str(len(found.messages)), str(fields), size))
    print_table(_HEADS, rows, (2, 3))


@command.command("diff", short_help="Show how a caffe.proto differs from BVLC's or another.")
@click.argument("proto", metavar="PROTO")
@click.argument("other", required=False, metavar="[OTHER]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def diff(proto: str, other: str | None, as_json: bool) -> int:
    """Show how a caffe.proto differs from BVLC's, and which known fork is nearest to it.

    PROTO and OTHER are .proto files, with what they import in their folders, or names of known
    Caffes. Numbers that mean different fields come first: a binary of one is read wrongly by
    the other. Then what is added (+), missing (-) or changed (~) in PROTO. A .proto file needs
    grpcio-tools.

    Exit code 0: both declare the same. 1: they differ. 2: a file cannot be read or compiled.

    \b
    resnet-proto proto diff caffe.proto
    resnet-proto proto diff caffe.proto ssd
    """
    from prototxt_gen.formats.dialects import DIALECTS
    from prototxt_gen.formats.difference import Difference, all_collisions, nearest

    here, against = _declarations(proto), other or "bvlc"
    found = Difference(here, _declarations(against))
    own = list(found.collisions(against))
    collisions = all_collisions(here, against) if other is None else own
    near = nearest(here) if proto not in DIALECTS else None
    if as_json:
        write_output("-", json_of(_as_json(proto, against, found, collisions, near)))
        return int(not found.same)
    for line in _lines(found, collisions):
        print_line(line)
    if found.same:
        print_line(f"{proto} declares the same as {against}")
    else:
        print_line(f"{proto} differs from {against}: {_sizes(found)}")
    if near is not None and against != near[0]:
        verb = "differs" if near[1].size == 1 else "differ"
        print_line(f"of the known Caffes {near[0]} is nearest: {_sizes(near[1])} {verb}")
    return int(not found.same)


def _declarations(given: str) -> Declarations:
    """Those of a known Caffe or of a file."""
    from prototxt_gen.formats.dialects import KNOWN
    from prototxt_gen.formats.difference import Declarations, known
    from prototxt_gen.formats.own import read_proto

    return known(given) if given in KNOWN else Declarations(read_proto(given))


def _lines(found: Difference, collisions: Iterable[Collision]) -> Iterator[str]:
    for one in collisions:
        here, there, others = _named(one.here), _named(one.there), ", ".join(one.others)
        yield f"! {one.owner} {one.here.number}: {here} here, {there} in {others}"
    for mark, names, owner in (("+", found.added, found.here), ("-", found.missing, found.there)):
        for name in names:
            yield f"{mark} {name} ({plural(len(owner.messages[name]), 'field')})"
    for one_of in (found.fields, found.values):
        yield from map(_line, sorted(one_of, key=lambda c: "+-~".index(_mark(c))))


def _named(one: Declared) -> str:
    return one.name if one.label == "value" else f"{one.name} ({one.type})"


def _line(change: Change) -> str:
    shown = [one.text for one in (change.there, change.here) if one is not None]
    return f"{_mark(change)} {change.owner}: {' -> '.join(shown)}"


def _mark(change: Change) -> str:
    return "+" if change.there is None else "-" if change.here is None else "~"


def _sizes(found: Difference) -> str:
    """How much differs, in words."""
    counts = {
        "field": len(found.fields),
        "message": len(found.added) + len(found.missing),
        "enum value": len(found.values),
    }
    shown = [plural(number, what) for what, number in counts.items() if number]
    return ", ".join(shown) or "0 fields"


def _as_json(
    proto: str,
    against: str,
    found: Difference,
    collisions: Iterable[Collision],
    near: tuple[str, Difference] | None,
) -> dict[str, Any]:
    return {
        "file": proto,
        "against": against,
        "same": found.same,
        "collisions": [
            {
                "owner": one.owner,
                "number": one.here.number,
                "here": _declared(one.here),
                "there": _declared(one.there),
                "in": list(one.others),
            }
            for one in collisions
        ],
        "messages": {"added": found.added, "missing": found.missing},
        "fields": _sorted(found.fields, "message"),
        "enum_values": _sorted(found.values, "enum"),
        "nearest": near
        and {
            "dialect": near[0],
            "fields": len(near[1].fields),
            "messages": len(near[1].added) + len(near[1].missing),
            "enum_values": len(near[1].values),
        },
    }


def _sorted(changes: Iterable[Change], owner: str) -> dict[str, list[dict[str, Any]]]:
    """The changes by what they are."""
    made: dict[str, list[dict[str, Any]]] = {"added": [], "missing": [], "changed": []}
    for one in changes:
        key = {"+": "added", "-": "missing", "~": "changed"}[_mark(one)]
        own = {owner: one.owner, "name": one.name}
        made[key].append({**own, "here": _declared(one.here), "there": _declared(one.there)})
    return made


def _declared(value: Declared | None) -> dict[str, Any] | None:
    return None if value is None else asdict(value)
