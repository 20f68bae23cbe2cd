"""What client and server agree on when an HDLC link is set up: lengths and windows in SNRM and UA.

References
----------
IEC 62056-46:2002, negotiation of parameters in SNRM and UA: format 0x81, group 0x80, parameters 5 to 8.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

MAX_INFO_BYTES = 2030
MAX_WINDOW = 7
DEFAULT_INFO_BYTES, DEFAULT_WINDOW = 128, 1
_GROUP = b"\x81\x80"
_INFO_SEND, _INFO_RECEIVE, _WINDOW_SEND, _WINDOW_RECEIVE = 5, 6, 7, 8


@dataclass(frozen=True)
class Parameters:
    """Lengths and windows of a link, seen from the station that holds them.

    Parameters
    ----------
    max_info_send, max_info_receive
        Longest information field of one frame [B], 1 to 2030.
    window_send, window_receive
        Frames in a turn, 1 to 7. Raises ValueError outside these ranges.
    """

    max_info_send: int = DEFAULT_INFO_BYTES
    max_info_receive: int = DEFAULT_INFO_BYTES
    window_send: int = DEFAULT_WINDOW
    window_receive: int = DEFAULT_WINDOW

    def __post_init__(self) -> None:
        if not all(1 <= value <= MAX_INFO_BYTES for value in (self.max_info_send, self.max_info_receive)):
            raise ValueError(
                f"max_info_bytes {self.max_info_send}, {self.max_info_receive}: 1 to {MAX_INFO_BYTES} are allowed"
            )
        if not all(1 <= value <= MAX_WINDOW for value in (self.window_send, self.window_receive)):
            raise ValueError(f"window {self.window_send}, {self.window_receive}: 1 to {MAX_WINDOW} are allowed")

    @classmethod
    def of(cls, max_info_bytes: int, window: int) -> Parameters:
        """The same in both directions."""
        return cls(max_info_bytes, max_info_bytes, window, window)

    def pack(self) -> bytes:
        """The 23 bytes of information of an SNRM or UA."""
        values = b"\x05\x02" + self.max_info_send.to_bytes(2, "big")
        values += b"\x06\x02" + self.max_info_receive.to_bytes(2, "big")
        values += b"\x07\x04" + self.window_send.to_bytes(4, "big")
        values += b"\x08\x04" + self.window_receive.to_bytes(4, "big")
        return _GROUP + bytes([len(values)]) + values

    @classmethod
    def unpack(cls, info: bytes) -> Parameters:
        """What an SNRM or UA says, from its sender's side; what it leaves out is the default, 128 bytes and window 1.

        Values of any length up to 4 bytes are read, unknown parameters skipped; more than a frame can hold counts as
        the most that it can. Raises ValueError on another format, a parameter cut short, or a zero.
        """
        if not info:
            return cls()
        if info[:2] != _GROUP or len(info) < 3 or len(info) < 3 + info[2]:
            raise ValueError("link parameters start with 0x81 0x80 and a length that the bytes fill")
        said = dict(_parameters(info[3 : 3 + info[2]]))
        return cls(
            min(said.get(_INFO_SEND, DEFAULT_INFO_BYTES), MAX_INFO_BYTES),
            min(said.get(_INFO_RECEIVE, DEFAULT_INFO_BYTES), MAX_INFO_BYTES),
            min(said.get(_WINDOW_SEND, DEFAULT_WINDOW), MAX_WINDOW),
            min(said.get(_WINDOW_RECEIVE, DEFAULT_WINDOW), MAX_WINDOW),
        )

    def granted(self, asked: Parameters) -> Parameters:
        """What holds when the other side says ``asked``: it sends what this side receives, the smaller value counts."""
        return Parameters(
            min(self.max_info_send, asked.max_info_receive),
            min(self.max_info_receive, asked.max_info_send),
            min(self.window_send, asked.window_receive),
            min(self.window_receive, asked.window_send),
        )


def _parameters(content: bytes) -> Iterator[tuple[int, int]]:
    at = 0
    while at < len(content):
        end = at + 2 + (content[at + 1] if at + 1 < len(content) else 4)
        if end > len(content) or not 1 <= end - at - 2 <= 4:
            raise ValueError(f"link parameter {content[at]} is cut short or longer than 4 bytes")
        yield content[at], int.from_bytes(content[at + 2 : end], "big")
        at = end
