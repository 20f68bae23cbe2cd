"""Image transfer (class 18): firmware in blocks, checked and put to use.

The simulated meter keeps a digest of each block, not the block: memory stays small, and the image does nothing.

References
----------
IEC 62056-6-2:2021, image transfer. The length of a block and the largest image are choices of ours (confidence C).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import ClassVar

from ..dlms import axdr
from ..dlms.apdu import ActionResult
from ..dlms.axdr import Tag, Value
from . import names
from .base import Action, ActionError, Interface, Reader, Writer, members, typed
from .meter import Device
from .state import EventCode, Image, ImageStatus

BLOCK_BYTES = 200
ROOM_BYTES = 64
"""What the APDU needs beside the block where ``max_pdu_bytes`` is short."""
MAX_IMAGE_BYTES = 1 << 20
MAX_NAME_BYTES = 64
DIGEST_BYTES = 8


class ImageTransfer(Interface):
    """Class 18, version 0."""

    __slots__ = ("device",)

    class_id: ClassVar[int] = 18

    def __init__(self, device: Device) -> None:
        super().__init__(names.IMAGE_TRANSFER)
        self.device = device

    @property
    def image(self) -> Image:
        """The image on its way."""
        return self.device.state.image

    @property
    def block_bytes(self) -> int:
        """Length of every block but the last; less than ``BLOCK_BYTES`` where APDUs are short."""
        return min(BLOCK_BYTES, self.device.settings.max_pdu_bytes - ROOM_BYTES)

    @property
    def n_blocks(self) -> int:
        """Blocks of the image; 0 where none is on its way."""
        return -(-self.image.size_bytes // self.block_bytes)

    def first_missing(self) -> int:
        """First block that has not arrived; the number of blocks where all have."""
        return next((number for number in range(self.n_blocks) if number not in self.image.blocks), self.n_blocks)

    def _enable(self, value: Value) -> None:
        self.image.enabled = typed(value, Tag.BOOLEAN)

    def _initiate(self, parameters: Value) -> None:
        self._check_enabled()
        name, size = members(parameters, 2)
        content, n_bytes = typed(name, Tag.OCTETS), typed(size, Tag.U32)
        if not 1 <= n_bytes <= MAX_IMAGE_BYTES or len(content) > MAX_NAME_BYTES:
            raise ActionError(ActionResult.SCOPE_OF_ACCESS_VIOLATED)
        self.device.state.image = Image(True, ImageStatus.INITIATED, content, n_bytes)

    def _block(self, parameters: Value) -> None:
        self._check_enabled()
        number, content = members(parameters, 2)
        block, piece = typed(number, Tag.U32), typed(content, Tag.OCTETS)
        if self.image.status is not ImageStatus.INITIATED:
            raise ActionError(ActionResult.TEMPORARY_FAILURE)
        if block >= self.n_blocks or len(piece) != self._length(block):
            raise ActionError(ActionResult.SCOPE_OF_ACCESS_VIOLATED)
        self.image.blocks[block] = hashlib.blake2b(piece, digest_size=DIGEST_BYTES).digest()

    def _length(self, block: int) -> int:
        return min(self.block_bytes, self.image.size_bytes - block * self.block_bytes)

    def _verify(self, _: Value) -> None:
        self._check_enabled()
        if not self.n_blocks or self.first_missing() < self.n_blocks:
            raise ActionError(ActionResult.OTHER_REASON)
        if self.image.status is ImageStatus.INITIATED:
            self.image.status = ImageStatus.VERIFICATION_SUCCESSFUL

    def _activate(self, _: Value) -> None:
        self._check_enabled()
        if self.image.status is not ImageStatus.VERIFICATION_SUCCESSFUL:
            raise ActionError(ActionResult.OTHER_REASON)
        self.image.status = ImageStatus.ACTIVATION_SUCCESSFUL
        self.device.log(EventCode.FIRMWARE_ACTIVATED)

    def _check_enabled(self) -> None:
        if not self.image.enabled:
            raise ActionError(ActionResult.READ_WRITE_DENIED)

    def _status_bits(self) -> Value:
        blocks = self.image.blocks
        return axdr.bits("".join("1" if number in blocks else "0" for number in range(self.n_blocks)))

    def _to_activate(self) -> Value:
        image = self.image
        if image.status not in (ImageStatus.VERIFICATION_SUCCESSFUL, ImageStatus.ACTIVATION_SUCCESSFUL):
            return axdr.array()
        whole = b"".join(image.blocks[number] for number in range(self.n_blocks))
        digest = hashlib.blake2b(whole, digest_size=DIGEST_BYTES).digest()
        return axdr.array(axdr.structure(axdr.u32(image.size_bytes), axdr.octets(image.name), axdr.octets(digest)))

    readers: ClassVar[Mapping[int, Reader]] = {
        2: lambda self: axdr.u32(self.block_bytes),
        3: _status_bits,
        4: lambda self: axdr.u32(self.first_missing()),
        5: lambda self: axdr.boolean(self.image.enabled),
        6: lambda self: axdr.enum(self.image.status),
        7: _to_activate,
    }
    writers: ClassVar[Mapping[int, Writer]] = {5: _enable}
    actions: ClassVar[Mapping[int, Action]] = {1: _initiate, 2: _block, 3: _verify, 4: _activate}
