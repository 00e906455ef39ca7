"""One reader of labels serves convert, run and triton: what a file says, and what it cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from prototxt_gen.errors import PrototxtError
from prototxt_gen.formats.labels import read_labels

MAP = 'item { name: "none" label: 0 display_name: "background" }\nitem { name: "bird" label: 2 }\n'
SYNSET = "n01440764 tench, Tinca tinca\nn01443537 goldfish\n"


@pytest.mark.parametrize(
    ("name", "text", "labels"),
    [
        ("x.txt", "a\nb\n", ("a", "b")),
        ("x.txt", "a\r\nb", ("a", "b")),
        ("x.txt", "\ufeffa\n\n b \n\n", ("a", "", "b")),
        ("x.txt", SYNSET, ("tench, Tinca tinca", "goldfish")),
        ("x.txt", "item one\nitem two", ("item one", "item two")),
        # A map is one whatever its file is called.
        ("labelmap_voc.prototxt", MAP, ("background", "", "bird")),
        ("x.txt", "# VOC\n" + MAP, ("background", "", "bird")),
    ],
)
def test_what_a_file_says(tmp_path: Path, name: str, text: str, labels: tuple[str, ...]) -> None:
    path = tmp_path / name
    path.write_bytes(text.encode())
    assert read_labels(path) == labels


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("x.txt", b"", "has no labels; expected one on each line"),
        ("x.txt", b"\n\n", "has no labels"),
        ("x.txt", b"a\nb\xe9\n", "the labels are not UTF-8: line 2, "),
        ("x.txt", b"a\0b", "is no text; expected a label on each line"),
        ("x.prototxt", b"layer { }", "`layer`"),
        ("x.prototxt", b"", "is no map of labels; expected item { name, label }"),
        ("x.prototxt", b"item {", "is not closed"),
        # As text of a protobuf may not begin with one, in C++ either.
        ("x.txt", b"\xef\xbb\xbfitem { label: 1 }", "byte order mark"),
        ("x.txt", b"item { label: 1 } item { label: 1 }", "the label 1 is there twice"),
        ("x.txt", b"item { label: -1 }", "the label -1 is not within 0 to 999999"),
        ("x.txt", b"item { label: 999999999 }", "the label 999999999 is not within 0 to 999999"),
        ("x.txt", b"item { lab: 1 }", "LabelMapItem has no field `lab`"),
    ],
)
def test_what_is_no_list_of_labels(tmp_path: Path, name: str, data: bytes, words: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(PrototxtError) as caught:
        read_labels(path)
    assert words in caught.value.message


def test_a_larger_file_than_any_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prototxt_gen.formats.labels._LARGEST", 3)
    monkeypatch.setattr("prototxt_gen.formats.labels._MOST", 1)
    path = tmp_path / "x.txt"
    for data, words in ((b"a\nb\n", "4 bytes; expected at most 3"), (b"a\nb", "has 2 labels")):
        path.write_bytes(data)
        with pytest.raises((PrototxtError, OSError), match=words):
            read_labels(path)
