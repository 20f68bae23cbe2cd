"""MAC header of a G3-PLC segment as bytes, and the fields that a receiver believes.

Seven bytes of the overhead that stands for header, security and integrity code: flags, number of the segment, sequence
number, receiver, sender; the last two bytes of a frame are its check sequence. One in 65,536 damaged frames passes
that sequence by luck, so a receiver looks at every field before it acts on a frame.
"""

from __future__ import annotations

from typing import NamedTuple

from ..plc.frames import FCS_BYTES, with_fcs

HEADER_BYTES = 7
REQUEST_MAP, LAST, COMMAND = 0x80, 0x40, 0x20
"""Flags: the sender asks for a tone map, the segment is the last one, the frame is a MAC command."""
MAP_RESPONSE = 0x0A
MAP_RESPONSE_BYTES = 3
"""What a tone-map response says: its kind, the mode, the link quality."""


class Segment(NamedTuple):
    """Fields of one frame; ``data`` is what its header carries."""

    flags: int
    number: int
    sequence: int
    receiver: int
    sender: int
    data: bytes


def write_segment(segment: Segment, filling: int) -> bytes:
    """Frame with ``filling`` bytes behind its header that stand for the rest of the overhead, and check sequence."""
    head = bytes(segment[:3]) + segment.receiver.to_bytes(2, "big") + segment.sender.to_bytes(2, "big")
    return with_fcs(head + bytes(filling) + segment.data)


def read_segment(octets: bytes, overhead_bytes: int, n_members: int, n_modes: int) -> Segment | None:
    """Segment of a frame whose check sequence fitted and was taken off; None where its fields cannot be true.

    Parameters
    ----------
    octets : of a frame without its check sequence;  overhead_bytes : header and check sequence of a segment
    n_members, n_modes : of the network, and of the table of modes

    Impossible are flags that nobody sets, a sender outside the network or equal to the receiver, a segment without
    data, and a command that is not one whole tone-map response in a mode of the table.
    """
    if len(octets) < HEADER_BYTES:
        return None
    flags, number, sequence = octets[:3]
    receiver, sender = int.from_bytes(octets[3:5], "big"), int.from_bytes(octets[5:7], "big")
    data = octets[HEADER_BYTES if flags & COMMAND else overhead_bytes - FCS_BYTES :]
    if flags & ~(REQUEST_MAP | LAST | COMMAND) or sender >= n_members or sender == receiver or not data:
        return None
    segment = Segment(flags, number, sequence, receiver, sender, data)
    return segment if not flags & COMMAND or _is_map_response(segment, n_modes) else None


def _is_map_response(segment: Segment, n_modes: int) -> bool:
    """Whether a command is the one there is."""
    data = segment.data
    whole = segment.flags == LAST | COMMAND and segment.number == 0 and len(data) >= MAP_RESPONSE_BYTES
    return whole and data[0] == MAP_RESPONSE and data[1] < n_modes
