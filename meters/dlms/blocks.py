"""General block transfer: any long APDU cut into numbered blocks, several of them in flight at once.

What is cut is the finished APDU, ciphered where the association ciphers. Blocks count from 1 in each direction. A
window ends with a block whose streaming bit is off; the other side then answers with a block of its own, which carries
the number of the last block that it has in order, and sending goes on behind that number.

References
----------
IEC 62056-5-3:2017 clause 8, General-Block-Transfer (tag 0xE0: block control, block number, number acknowledged, data).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from .apdu_parts import unsigned, whole
from .axdr import decode_length, encode_length, take

TAG = 0xE0
LAST, STREAMING, WINDOW = 0x80, 0x40, 0x3F
MAX_WINDOW, MAX_BLOCKS = 63, 65_535


@dataclass(frozen=True, slots=True)
class GeneralBlock:
    """One block of a general block transfer.

    last : no block follows in this direction
    streaming : the next block follows at once, without waiting for an answer
    window : blocks at once that the sender of this one can take, 0 to 63
    block : number of this block, 1 to 65 535
    acknowledged : last block in order that has come from the other side, 0 for none
    content : a piece of the APDU; empty in a block that only acknowledges
    """

    last: bool
    streaming: bool
    window: int
    block: int
    acknowledged: int
    content: bytes


def encode(block: GeneralBlock) -> bytes:
    """Tag, control byte, both numbers, content with its length; ValueError where a field does not fit.

    >>> encode(GeneralBlock(True, False, 1, 2, 1, b"ab")).hex()
    'e08100020001026162'
    """
    if not 0 <= block.window <= MAX_WINDOW:
        raise ValueError(f"a window of {block.window} blocks does not fit 6 bits: use 0 to {MAX_WINDOW}")
    control = (LAST if block.last else 0) | (STREAMING if block.streaming else 0) | block.window
    numbers = unsigned(block.block, 2, "block number") + unsigned(block.acknowledged, 2, "block number acknowledged")
    return bytes([TAG, control]) + numbers + encode_length(len(block.content)) + block.content


def decode(data: bytes) -> GeneralBlock:
    """What `encode` made; ValueError on another tag, data cut short and bytes left over."""
    head = take(data, 0, 6)
    if head[0] != TAG:
        raise ValueError(f"APDU 0x{head[0]:02x} is not a general block transfer: 0x{TAG:02x} is")
    length, at = decode_length(data, 6)
    content = take(data, at, length)
    whole(data, at + length)
    numbers = int.from_bytes(head[2:4], "big"), int.from_bytes(head[4:6], "big")
    return GeneralBlock(bool(head[1] & LAST), bool(head[1] & STREAMING), head[1] & WINDOW, *numbers, content)


def general_block_bytes(n_content: int) -> int:
    """Length of a block that carries ``n_content`` bytes: 6 and a length field."""
    return 6 + len(encode_length(n_content)) + n_content


def largest_content_bytes(max_pdu_bytes: int) -> int:
    """Longest content whose block is at most ``max_pdu_bytes`` long; ValueError where none fits."""
    for n_length in (1, 2, 3, 4, 5):
        n_content = max_pdu_bytes - 6 - n_length
        if n_content >= 1 and len(encode_length(n_content)) <= n_length:
            return n_content
    raise ValueError(f"a PDU of {max_pdu_bytes} bytes cannot carry a general block: 8 are the least")


def cut(apdu: bytes, max_pdu_bytes: int, window: int, *, acknowledged: int = 0) -> list[GeneralBlock]:
    """An APDU as blocks of at most ``max_pdu_bytes``.

    Parameters
    ----------
    apdu
        The whole APDU, ciphered already where it has to be.
    max_pdu_bytes
        Longest block that the other side takes, header included.
    window
        1 to 63: blocks that the other side takes at once; also offered as our own.
    acknowledged
        Last block that has come from the other side.

    Returns
    -------
    Blocks 1, 2, ... streaming but for the last of each window. Raises ValueError for an empty APDU, a window outside 1
    to 63, a PDU too short for a block, more than 65 535 blocks.
    """
    if not 1 <= window <= MAX_WINDOW:
        raise ValueError(f"a window of {window} blocks cannot be sent: use 1 to {MAX_WINDOW}")
    n_content = largest_content_bytes(max_pdu_bytes)
    n_blocks = -(-len(apdu) // n_content)
    if not 1 <= n_blocks <= MAX_BLOCKS:
        raise ValueError(f"{len(apdu)} bytes make {n_blocks} blocks of {n_content}: 1 to {MAX_BLOCKS} are possible")
    return [
        GeneralBlock(
            last=number == n_blocks,
            streaming=number != n_blocks and number % window != 0,
            window=window,
            block=number,
            acknowledged=acknowledged,
            content=apdu[(number - 1) * n_content : number * n_content],
        )
        for number in range(1, n_blocks + 1)
    ]


def window_after(blocks: list[GeneralBlock], acknowledged: int, window: int) -> Iterator[GeneralBlock]:
    """The blocks to send behind number ``acknowledged``: at most ``window``, streaming but for the last of them."""
    chosen = blocks[acknowledged : acknowledged + max(window, 1)]
    for place, block in enumerate(chosen, 1):
        streaming = place < len(chosen) and not block.last
        yield GeneralBlock(block.last, streaming, block.window, block.block, block.acknowledged, block.content)


def acknowledgement(acknowledged: int, block: int, window: int) -> GeneralBlock:
    """A block without content, number ``block`` of ours, that says which of theirs is the last in order."""
    return GeneralBlock(True, False, window, block, acknowledged, b"")


@dataclass
class Assembly:
    """What has come of one APDU that travels in general blocks.

    A block that came before, or that comes before its turn, is not taken: `acknowledged` stays, so that the answer asks
    for what is missing, and `n_refused` counts it. More than ``max_bytes`` raise ValueError and forget everything.

    max_bytes
        Longest APDU accepted.
    """

    max_bytes: int = 65_535
    acknowledged: int = 0
    n_refused: int = 0
    _content: bytearray = field(default_factory=bytearray, repr=False)
    _complete: bool = False

    @property
    def n_bytes(self) -> int:
        """Bytes of the APDU that have come."""
        return len(self._content)

    @property
    def complete(self) -> bool:
        """Whether the last block has come."""
        return self._complete

    def add(self, block: GeneralBlock) -> bytes | None:
        """Take one block: the whole APDU with the last one, None before. ValueError beyond ``max_bytes``."""
        if self._complete or block.block != self.acknowledged + 1:
            self.n_refused += 1
            return None
        if len(self._content) + len(block.content) > self.max_bytes:
            self._content.clear()
            self.acknowledged = 0
            raise ValueError(f"general blocks of more than {self.max_bytes} bytes: the transfer is given up")
        self.acknowledged = block.block
        self._content += block.content
        self._complete = block.last
        return bytes(self._content) if block.last else None
