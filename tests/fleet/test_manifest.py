"""A manifest of any form is read as one with rows, or as if it was not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from prototxt_gen.fleet import manifest


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\0\0",
        b"null",
        b'["nets"]',
        b'{"nets": 1}',
        b'{"nets": [[1, {"mark": "a"}], ["net0", {}]]}',
        b'{"nets": [[null, {}]]}',
        b"[" * 100_000,
        b"1" * 5000,
    ],
    ids=lambda content: repr(content[:40]),
)
def test_what_is_no_manifest_is_ignored(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "manifest.json").write_bytes(content)
    assert manifest.read(tmp_path) == {}


def test_rows_that_are_none_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"nets": {"a": {"mark": "x"}, "b": [], "c": null}}')
    assert manifest.read(tmp_path) == {"a": {"mark": "x"}}
