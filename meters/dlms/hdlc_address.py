"""HDLC addresses: one byte for a client, one, two or four for a server.

References
----------
IEC 62056-46:2002 (address fields); bytes checked against gurux-dlms 1.0.203 and dlms-cosem 25.1.0.
"""

from __future__ import annotations

from dataclasses import dataclass

_LIMITS = {1: (0x7F, 0), 2: (0x7F, 0x7F), 4: (0x3FFF, 0x3FFF)}


@dataclass(frozen=True)
class Address:
    """An HDLC address: a client's has one byte, a server's one, two or four.

    Parameters
    ----------
    logical
        Logical device, or the client: 0 to 127, with four bytes to 16 383.
    physical
        Physical device behind a shared line; the same range, always 0 with one byte.
    n_bytes
        Length on the line: 1, 2 or 4. Raises ValueError for another, or where a part does not fit.

    References
    ----------
    After IEC 62056-46:2002: the lowest bit of the last byte marks the end.

    >>> Address(1, 17, 4).octets.hex()
    '00020023'
    """

    logical: int
    physical: int = 0
    n_bytes: int = 1

    def __post_init__(self) -> None:
        if self.n_bytes not in _LIMITS:
            raise ValueError(f"an address of {self.n_bytes} bytes: HDLC knows 1, 2 or 4")
        logical, physical = _LIMITS[self.n_bytes]
        if not (0 <= self.logical <= logical and 0 <= self.physical <= physical):
            raise ValueError(
                f"address {self.logical}, {self.physical}: {self.n_bytes} bytes hold 0 to {logical}, 0 to {physical}"
            )

    @property
    def octets(self) -> bytes:
        """The address as it stands in a frame."""
        if self.n_bytes == 1:
            return bytes([self.logical << 1 | 1])
        if self.n_bytes == 2:
            return bytes([self.logical << 1, self.physical << 1 | 1])
        high, low = self.logical >> 7 << 1, (self.logical & 0x7F) << 1
        return bytes([high, low, self.physical >> 7 << 1, (self.physical & 0x7F) << 1 | 1])

    @property
    def for_all(self) -> bool:
        """Whether it means every station (0x7F, with four bytes 0x3FFF, in either part): nobody may answer it."""
        logical, physical = _LIMITS[self.n_bytes]
        return self.logical == logical or (physical > 0 and self.physical == physical)

    @property
    def for_none(self) -> bool:
        """Whether it means no station at all: every part is 0."""
        return self.logical == self.physical == 0


def address(value: Address | int) -> Address:
    """A plain number as the one-byte address that it stands for; ValueError above 127."""
    return value if isinstance(value, Address) else Address(value)


def address_end(body: bytes, at: int) -> int:
    """Where the address at ``at`` ends, told by the lowest bits: 0 for never, behind ``body`` where it is too short."""
    end = next((end for end in (at + 1, at + 2, at + 3, at + 4) if end > len(body) or body[end - 1] & 1), 0)
    return end if end - at != 3 or end > len(body) else 0


def address_at(body: bytes, at: int) -> tuple[Address, int]:
    """The address at ``at`` and where it ends; ValueError where it has 3 bytes, more than 4, or is cut short."""
    end = address_end(body, at)
    if not at < end <= len(body):
        raise ValueError("an HDLC address has 1, 2 or 4 bytes, the last of them odd")
    parts = [byte >> 1 for byte in body[at:end]]
    if len(parts) == 4:
        return Address(parts[0] << 7 | parts[1], parts[2] << 7 | parts[3], 4), end
    return Address(parts[0], sum(parts[1:]), len(parts)), end
