"""One end of an HDLC link: numbers its frames, remembers what is not acknowledged, puts together what comes.

Numbers run modulo 8; what the other side did not acknowledge is sent again from there (go back N).

References
----------
IEC 62056-46:2002; ISO/IEC 13239:2002, unbalanced operation in normal response mode.
"""

from __future__ import annotations

from .hdlc import LLC_REQUEST, Frame, information, pack, receive_ready
from .hdlc_address import Address
from .hdlc_parameters import Parameters

MAX_APDU_BYTES = 2**16 - 1
_MAX_CONTENT_BYTES = len(LLC_REQUEST) + MAX_APDU_BYTES


class Station:
    """One end of a link: what it still has to send, what has come so far, and both numbers.

    Parameters
    ----------
    own, peer
        Addresses; answers carry them in the length that the peer used.
    parameters
        As negotiated, from this side.
    """

    def __init__(self, own: Address, peer: Address, parameters: Parameters) -> None:
        self.own, self.peer, self.parameters = own, peer, parameters
        self._content, self._at = b"", 0
        self._base, self._n_sent, self._next = 0, 0, 0
        self._received = bytearray()

    @property
    def pending(self) -> bool:
        """Whether something is not acknowledged yet."""
        return self._at < len(self._content)

    @property
    def n_received_bytes(self) -> int:
        """Bytes of an APDU that has begun to arrive."""
        return len(self._received)

    def load(self, content: bytes) -> None:
        """Send ``content`` (LLC bytes and APDU) next; what was still to be sent is given up."""
        self._content, self._at, self._n_sent = content, 0, 0

    def acknowledge(self, receive: int) -> int:
        """Take the peer's N(R); returns how many bytes it acknowledges for the first time, a stale number none."""
        count = (receive - self._base) % 8
        if count > self._n_sent:
            return 0
        before = self._at
        self._at = min(len(self._content), before + count * self.parameters.max_info_send)
        self._base, self._n_sent = (self._base + count) % 8, self._n_sent - count
        return self._at - before

    def accept(self, frame: Frame) -> bytes | None:
        """Take an information frame; the whole content once the last piece is there.

        What is doubled or out of order is dropped: the next `turn` asks again. ValueError, and nothing kept, where the
        content grows beyond `MAX_APDU_BYTES`.
        """
        if frame.sequence != self._next:
            return None
        self._next = (self._next + 1) % 8
        if len(self._received) + len(frame.info) > _MAX_CONTENT_BYTES:
            self._received.clear()
            raise ValueError(f"an APDU of more than {MAX_APDU_BYTES} bytes is refused: send it in blocks")
        self._received += frame.info
        if frame.segmented:
            return None
        content = bytes(self._received)
        self._received.clear()
        return content

    def turn(self, hold: bool = False) -> bytes:
        """The bytes of this side's turn: up to a window of frames, or a receive-ready.

        Receive-ready where nothing is to be sent, or on ``hold``: the peer was not ready.
        """
        if hold or not self.pending:
            return pack(Frame(self.peer, self.own, receive_ready(self._next), False, b""))
        step, n_bytes = self.parameters.max_info_send, len(self._content)
        starts = list(range(self._at, n_bytes, step)[: self.parameters.window_send])
        self._n_sent = len(starts)
        return b"".join(
            self._piece(number, start, start == starts[-1], start + step < n_bytes)
            for number, start in enumerate(starts, self._base)
        )

    def _piece(self, number: int, start: int, final: bool, segmented: bool) -> bytes:
        info = self._content[start : start + self.parameters.max_info_send]
        return pack(Frame(self.peer, self.own, information(number, self._next, final), segmented, info))
