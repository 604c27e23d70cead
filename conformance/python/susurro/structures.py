"""Structures: section 5.

A structure is declared with its fields in the order of the document's table:

    Ack = Structure("Ack", cursor=uint())

`Ack.encode(cursor=7)` gives its bytes; `Ack.decode(data)` gives an object with a `cursor`, or refuses.
"""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import msgpack

from .errors import Refused
from .limits import NESTING_MAX


class NotStructure(Exception):
    """What ENC-4 refuses, in words."""


def element_end(data: bytes, at: int, depth: int = 0) -> int:
    """Where the msgpack element that begins at `at` ends.

    Nothing of it is believed but its lengths, so that elements of whatever type can be skipped (ENC-2).
    """

    def number(offset: int, width: int) -> int:
        if at + offset + width > len(data):
            raise NotStructure("the bytes end inside an element")
        return int.from_bytes(data[at + offset : at + offset + width], "big")

    def flat(header: int, contents: int) -> int:
        if at + header + contents > len(data):
            raise NotStructure("the bytes end inside an element")
        return at + header + contents

    def nested(header: int, elements: int) -> int:
        if depth + 1 > NESTING_MAX:
            raise NotStructure("nesting deeper than 16 (ENC-4)")
        if elements > len(data):
            raise NotStructure("more elements than bytes")
        position = flat(header, 0)
        for _ in range(elements):
            position = element_end(data, position, depth + 1)
        return position

    first = number(0, 1)
    if first <= 0x7F or first >= 0xE0 or first in (0xC0, 0xC2, 0xC3):  # small integers, nil, booleans
        return at + 1
    if first <= 0x8F:  # fixmap
        return nested(1, 2 * (first & 0x0F))
    if first <= 0x9F:  # fixarray
        return nested(1, first & 0x0F)
    if first <= 0xBF:  # fixstr
        return flat(1, first & 0x1F)
    if first in (0xC4, 0xC5, 0xC6):  # bin
        width = 1 << (first - 0xC4)
        return flat(1 + width, number(1, width))
    if first in (0xC7, 0xC8, 0xC9):  # ext
        width = 1 << (first - 0xC7)
        return flat(2 + width, number(1, width))
    if first in (0xCA, 0xCB):  # float
        return flat(1, 4 if first == 0xCA else 8)
    if 0xCC <= first <= 0xD3:  # uint and int of 1, 2, 4 and 8 bytes
        return flat(1, 1 << ((first - 0xCC) % 4))
    if 0xD4 <= first <= 0xD8:  # fixext of 1 to 16 bytes
        return flat(2, 1 << (first - 0xD4))
    if first in (0xD9, 0xDA, 0xDB):  # str
        width = 1 << (first - 0xD9)
        return flat(1 + width, number(1, width))
    if first in (0xDC, 0xDD):  # array
        width = 2 if first == 0xDC else 4
        return nested(1 + width, number(1, width))
    if first in (0xDE, 0xDF):  # map
        width = 2 if first == 0xDE else 4
        return nested(1 + width, 2 * number(1, width))
    raise NotStructure("0xc1 is not msgpack")


def split_array(data: bytes, depth: int = 0) -> list[bytes]:
    """The elements of the array that `data` is, each as its own bytes."""
    if element_end(data, 0, depth) != len(data):
        raise NotStructure("bytes behind the structure (ENC-4)")
    first = data[0]
    if first & 0xF0 == 0x90:
        position = 1
    elif first in (0xDC, 0xDD):
        position = 3 if first == 0xDC else 5
    else:
        raise NotStructure("not an array (ENC-4)")
    elements = []
    while position < len(data):
        end = element_end(data, position, depth + 1)
        elements.append(data[position:end])
        position = end
    return elements


def _scalar(data: bytes) -> Any:
    """One number, string or nil. Arrays and maps were counted and are not looked into here."""
    if data[0] & 0xF0 == 0x90 or data[0] & 0xF0 == 0x80 or 0xDC <= data[0] <= 0xDF:
        raise NotStructure("an array or a map where there is none (ENC-4)")
    try:
        return msgpack.unpackb(data, raw=False)
    except (ValueError, UnicodeDecodeError, msgpack.UnpackException):
        raise NotStructure("text that is not UTF-8, or an extension (ENC-4)") from None


class Type:
    """A type of section 5: how to write a value, and how to read one at a depth."""

    def __init__(
        self,
        plain: Callable[[Any], Any],
        read: Callable[[bytes, int], Any],
        from_json: Callable[[Any], Any] = lambda value: value,
    ):
        self.plain = plain
        self.read = read
        self.from_json = from_json  # out of the JSON of vectors, where bytes are hexadecimal digits


def uint(bits: int = 64) -> Type:
    """An integer from 0 to 2^bits - 1, in any msgpack width (ENC-5)."""

    def read(data: bytes, _: int) -> int:
        value = _scalar(data)
        if type(value) is not int or not 0 <= value < 1 << bits:
            raise NotStructure(f"not a uint of {bits} bits (ENC-4)")
        return value

    return Type(lambda value: value, read)


def bin_(size: int | None = None) -> Type:
    """A byte string, of exactly `size` bytes when that is given."""

    def read(data: bytes, _: int) -> bytes:
        value = _scalar(data)
        if type(value) is not bytes or (size is not None and len(value) != size):
            raise NotStructure("not a byte string of that length (ENC-4, ID-1)")
        return value

    return Type(bytes, read, bytes.fromhex)


def str_() -> Type:
    """UTF-8 text."""

    def read(data: bytes, _: int) -> str:
        value = _scalar(data)
        if type(value) is not str:
            raise NotStructure("not a text (ENC-4)")
        return value

    return Type(lambda value: value, read)


def list_of(item: Type) -> Type:
    """An array of `item`."""
    return Type(
        lambda values: [item.plain(value) for value in values],
        lambda data, depth: [item.read(element, depth + 1) for element in split_array(data, depth)],
        lambda values: [item.from_json(value) for value in values],
    )


def or_nil(item: Type) -> Type:
    """`item` or nil."""
    return Type(
        lambda value: None if value is None else item.plain(value),
        lambda data, depth: None if data == b"\xc0" else item.read(data, depth),
        lambda value: None if value is None else item.from_json(value),
    )


class Structure:
    """A structure: a msgpack array of its fields in the order of its table."""

    def __init__(self, title: str, **fields: Type):
        self.title = title
        self.fields = fields

    def encode(self, **values: Any) -> bytes:
        """The bytes of a structure (ENC-1)."""
        return msgpack.packb(self.plain(SimpleNamespace(**values)), use_bin_type=True)

    def plain(self, record: Any) -> list:
        """The array of a structure's values."""
        return [kind.plain(getattr(record, name)) for name, kind in self.fields.items()]

    def decode(self, data: bytes, error: str = "malformed-body") -> SimpleNamespace:
        """The fields by name. What ENC-4 forbids is refused with `error`."""
        try:
            return self._read(data, depth=0, may_grow=True)
        except NotStructure as wrong:
            raise Refused(error, f"{self.title}: {wrong}") from None

    def nested(self) -> Type:
        """This structure inside another one: exactly its fields (ENC-3)."""
        return Type(self.plain, lambda data, depth: self._read(data, depth, may_grow=False), self.from_json)

    def from_json(self, fields: dict) -> SimpleNamespace:
        """The fields out of the JSON of vectors."""
        return SimpleNamespace(**{name: kind.from_json(fields[name]) for name, kind in self.fields.items()})

    def _read(self, data: bytes, depth: int, may_grow: bool) -> SimpleNamespace:
        elements = split_array(data, depth)
        if len(elements) < len(self.fields):
            raise NotStructure("a missing field (ENC-4)")
        if len(elements) > len(self.fields) and not may_grow:
            raise NotStructure("a nested structure has exactly its fields (ENC-3)")
        record = SimpleNamespace()
        for (name, kind), element in zip(self.fields.items(), elements):
            try:
                setattr(record, name, kind.read(element, depth + 1))
            except NotStructure as wrong:
                raise NotStructure(f"{name}: {wrong}") from None
        return record


# Section 6: a signed object.
SignedBytes = Structure("SignedBytes", body=bin_(), signature=bin_(64))
