"""OBIS codes: the names of what a meter measures."""

from __future__ import annotations

import re
from typing import NamedTuple

_TEXT = re.compile(r"(?:(\d+)-)?(?:(\d+):)?(\d+)\.(\d+)\.(\d+)(?:[.*](\d+))?")


class Obis(NamedTuple):
    """Six value groups A to F, each 0 to 255, after IEC 62056-6-1:2017.

    >>> str(Obis.parse("1-0:1.8.0"))
    '1-0:1.8.0.255'
    """

    a: int
    b: int
    c: int
    d: int
    e: int
    f: int = 255

    @classmethod
    def parse(cls, text: str) -> Obis:
        """A code written as ``A-B:C.D.E.F``; A and B default to 1 and 0, F to 255. ValueError for anything else."""
        found = _TEXT.fullmatch(text.strip())
        if found is None:
            raise ValueError(f"{text!r} is not an OBIS code: write A-B:C.D.E.F such as 1-0:1.8.0.255")
        groups = [
            default if digits is None else int(digits)
            for digits, default in zip(found.groups(), (1, 0, 0, 0, 0, 255), strict=True)
        ]
        return cls.checked(*groups)

    @classmethod
    def checked(cls, *groups: int) -> Obis:
        """Six numbers, each refused with ValueError outside 0 to 255."""
        if len(groups) != 6 or not all(0 <= group <= 255 for group in groups):
            raise ValueError(f"{groups} is not an OBIS code: six value groups of 0 to 255 are needed")
        return cls(*groups)

    @classmethod
    def from_octets(cls, content: bytes) -> Obis:
        """The code that six bytes name; ValueError for any other length."""
        return cls.checked(*content)

    @property
    def octets(self) -> bytes:
        """The six bytes of the logical name."""
        return bytes(self)

    def __str__(self) -> str:
        return f"{self.a}-{self.b}:{self.c}.{self.d}.{self.e}.{self.f}"


# After IEC 62056-6-1:2017 tables for abstract objects (A = 0) and electricity (A = 1).
CLOCK = Obis(0, 0, 1, 0, 0)
ASSOCIATION = Obis(0, 0, 40, 0, 0)
LOGICAL_DEVICE_NAME = Obis(0, 0, 42, 0, 0)
INVOCATION_COUNTER = Obis(0, 0, 43, 1, 0)
PUSH_REGISTER = Obis(0, 1, 25, 9, 0)
PUSH_PROFILE = Obis(0, 2, 25, 9, 0)
LOAD_PROFILE = Obis(1, 0, 99, 1, 0)
IMPORT_ACTIVE = Obis(1, 0, 1, 8, 0)
EXPORT_ACTIVE = Obis(1, 0, 2, 8, 0)
IMPORT_REACTIVE = Obis(1, 0, 3, 8, 0)
EXPORT_REACTIVE = Obis(1, 0, 4, 8, 0)

ENERGY_REGISTERS = (IMPORT_ACTIVE, EXPORT_ACTIVE, IMPORT_REACTIVE, EXPORT_REACTIVE)
"""The four channels of the load profile, in this order."""
