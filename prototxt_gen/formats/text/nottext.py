"""Name what was given instead of a prototxt: a picture, an archive, a web page.

It is asked only about files that are not a valid prototxt, so a guess does no harm.
"""

from __future__ import annotations

_MAGIC: tuple[tuple[bytes, str, str], ...] = (
    (b"\x1f\x8b", "a gzip file", "unpack it first: gunzip"),
    (b"PK\x03\x04", "a zip file", "unpack it first (PyTorch's .pth files are zip files too)"),
    (b"BZh", "a bzip2 file", "unpack it first: bunzip2"),
    (b"\xfd7zXZ\0", "an xz file", "unpack it first: unxz"),
    (b"\x28\xb5\x2f\xfd", "a zstd file", "unpack it first: unzstd"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip file", "unpack it first"),
    (
        b"\x89HDF\r\n\x1a\n",
        "an HDF5 file",
        "weights (.h5) come with a separate prototxt",
    ),
    (b"\x89PNG\r\n\x1a\n", "a PNG picture", ""),
    (b"\xff\xd8\xff", "a JPEG picture", ""),
    (b"GIF8", "a GIF picture", ""),
    (b"%PDF-", "a PDF document", ""),
    (b"\x80\x02", "a Python pickle", ""),
    (b"\x80\x03", "a Python pickle", ""),
    (b"\x80\x04", "a Python pickle", ""),
    (b"\x80\x05", "a Python pickle", ""),
    (b"\x93NUMPY", "a numpy array", ""),
    (b"\xff\xfe\0\0", "UTF-32 text", "save it as UTF-8 without a byte order mark"),
    (b"\0\0\xfe\xff", "UTF-32 text", "save it as UTF-8 without a byte order mark"),
    (b"\xff\xfe", "UTF-16 text", "save it as UTF-8 without a byte order mark"),
    (b"\xfe\xff", "UTF-16 text", "save it as UTF-8 without a byte order mark"),
    (
        b"version https://git-lfs",
        "a Git LFS pointer, not the file itself",
        "fetch the file: git lfs pull",
    ),
)
_PAGES = (b"<!doctype", b"<html", b"<?xml", b"<head")
_LOOK_AT = 4096


def name_of(data: bytes) -> tuple[str, str | None] | None:
    """What the bytes are, and what to do; None where they are probably text."""
    for magic, name, help in _MAGIC:
        if data.startswith(magic):
            return name, help or None
    head = data[:_LOOK_AT]
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if start[:9].lower().startswith(_PAGES):
        return "a web page (HTML)", "download the file itself, on GitHub with the Raw button"
    if start.startswith(b"{") and start[1:].lstrip()[:1] in (b'"', b"}"):
        return "JSON", None
    if _is_utf16(head):
        return "UTF-16 text", "save it as UTF-8 without a byte order mark"
    odd = sum(head.count(bytes([c])) for c in range(32) if c not in b"\t\n\v\f\r\x1b")
    if not head or odd * 50 < len(head):
        return None
    fields = _wire_fields(data)
    if fields[:1] == [1] and head[0] == 0x08 and {7, 2} & set(fields):
        return "an ONNX model", "the prototxt is a text file; this is a binary one"
    if fields and fields[0] in (1, 2, 100):
        return "a binary protobuf, most likely a caffemodel", "give the prototxt (the text file)"
    return "a binary file", None


def _is_utf16(head: bytes) -> bool:
    even, odd = head[0::2], head[1::2]
    most = len(odd) * 0.8
    return len(head) >= 4 and (
        (odd.count(0) > most and even.count(0) == 0) or (even.count(0) > most and odd.count(0) == 0)
    )


def _wire_fields(data: bytes) -> list[int]:
    """The numbers of the first fields if the bytes are a protobuf message, else none."""
    pos, fields = 0, list[int]()
    while pos < len(data) and len(fields) < 8:
        tag, pos = _varint(data, pos)
        wire, number = tag & 7, tag >> 3
        if pos < 0 or not 0 < number < 1 << 29:
            return []
        if wire == 0:
            _, pos = _varint(data, pos)
        elif wire == 2:
            size, pos = _varint(data, pos)
            pos = pos + size if pos >= 0 else pos
        elif wire in (1, 5):
            pos += 8 if wire == 1 else 4
        else:
            return []
        if pos < 0:
            return []
        fields.append(number)
    return fields


def _varint(data: bytes, pos: int) -> tuple[int, int]:
    """A varint and the offset after it; offset -1 where there is none."""
    value = 0
    for index in range(10):
        if pos + index >= len(data):
            return 0, -1
        byte = data[pos + index]
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return value, pos + index + 1
    return 0, -1
