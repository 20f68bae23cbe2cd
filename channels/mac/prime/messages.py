"""Bytes of PRIME frames: headers, control packets, beacons and the request of a node without a switch.

Widths and order of the fields after ITU-T G.9904 (PRIME 1.3.6), as a published dissector shows them (confidence B).
Version 1.4 is written with the same fields; the four bits in which a node tells its neighbour the mode it wants to be
addressed in stand in reserved bits of the generic header (place confidence C, that they exist B).
"""

from __future__ import annotations

from typing import NamedTuple

from ..plc.frames import checked_crc32, with_crc32

REG, CON, PRO, BSI, ALV = 1, 2, 3, 4, 7
"""Types of control packets: registration, connection, promotion, beacon slot, keep-alive."""
NO_NODE = 0x3FFF
"""Node identity of a node that has none yet."""
NO_SWITCH = 0xFF
"""Switch identity in a promotion request: none assigned yet."""
NO_ADVICE = 0xF
"""Sender of the frame has not heard its neighbour lately and recommends no mode."""
KEY_BYTES = 32
"""Subnetwork key and authentication key that a registration hands over under a security profile, 16 B each."""
LLC = b"\x90"
"""Control byte of the IEC 61334-4-32 convergence layer in front of the two addresses (confidence B)."""


def _crc8_table() -> bytes:
    """Remainders of all bytes for the polynomial x8 + x2 + x + 1."""
    table = bytearray()
    for value in range(256):
        for _ in range(8):
            value = (value << 1) ^ (0x107 if value & 0x80 else 0)
        table.append(value)
    return bytes(table)


_CRC8 = _crc8_table()


def crc8(data: bytes) -> int:
    """Header check sequence, polynomial x8 + x2 + x + 1, start value 0.

    >>> hex(crc8(b"123456789"))
    '0xf4'
    """
    value = 0
    for octet in data:
        value = _CRC8[value ^ octet]
    return value


class Packet(NamedTuple):
    """One generic frame with one packet.

    down : from the base node;  level : of the switch at the upper end of the hop, 0 for the base node
    advice : index of the mode the sender wants to be addressed in on this hop;  priority : 0 is the most urgent
    control : type of control packet, 0 for data;  connection : of data
    switch, node : identities: the switch that the far node hangs on, and its number there
    """

    down: bool
    level: int
    advice: int
    priority: int
    control: int
    connection: int
    switch: int
    node: int
    payload: bytes


def encode(packet: Packet, network: bytes) -> bytes:
    """Frame of a packet in the network of an address, whose check sequences it bears.

    >>> len(encode(Packet(True, 0, 15, 2, 0, 5, 0, 1, b"abc"), bytes(6))) - len(b"abc")
    13
    """
    head = ((packet.advice << 7) | (packet.down << 6) | packet.level).to_bytes(2, "big")
    kind = packet.control or packet.connection
    bits = (packet.priority << 42) | (bool(packet.control) << 41) | (kind << 32) | (packet.switch << 24)
    bits |= (packet.node << 10) | len(packet.payload)
    generic = head + bytes((crc8(network + head),))
    return with_crc32(generic + bits.to_bytes(6, "big") + packet.payload)


def decode(frame: bytes, network: bytes) -> Packet | None:
    """Packet of a frame; None where a check sequence does not fit or the frame is of another kind or network."""
    data = checked_crc32(frame)
    if data is None or len(data) < 9 or crc8(network + data[:2]) != data[2] or (data[0] >> 4) & 3:
        return None
    head, bits = int.from_bytes(data[:2], "big"), int.from_bytes(data[3:9], "big")
    if len(data) - 9 != bits & 0x1FF:
        return None
    control, kind = bool(bits >> 41 & 1), bits >> 32 & 0x1FF
    return Packet(
        down=bool(head >> 6 & 1),
        level=head & 0x3F,
        advice=head >> 7 & 0xF,
        priority=bits >> 42 & 3,
        control=kind if control else 0,
        connection=0 if control else kind,
        switch=bits >> 24 & 0xFF,
        node=bits >> 10 & 0x3FFF,
        payload=data[9:],
    )


class Registration(NamedTuple):
    """Payload of REG: ``leave`` is the N bit (rejected or unregistered), ``alive_code`` the keep-alive time."""

    leave: bool
    switch_able: bool
    arq: bool
    alive_code: int
    address: bytes
    keys: bytes = b""

    def encode(self) -> bytes:
        """8 bytes, 40 with keys."""
        flags = (self.leave << 15) | (bool(self.keys) << 12) | (self.switch_able << 9) | (self.arq << 3)
        return (flags | self.alive_code).to_bytes(2, "big") + self.address + self.keys

    @classmethod
    def decode(cls, data: bytes) -> Registration:
        """From the payload of the packet."""
        flags = int.from_bytes(data[:2], "big")
        return cls(bool(flags >> 15), bool(flags >> 9 & 1), bool(flags >> 3 & 1), flags & 7, data[2:8], data[8:])


class Connection(NamedTuple):
    """Payload of CON: ``close`` is the N bit, ``data`` what the convergence layer exchanges at its opening.

    ``answer`` tells the confirmation from a request of the same direction (in a reserved bit; place confidence C).
    """

    close: bool
    arq: bool
    answer: bool
    connection: int
    data: bytes

    def encode(self) -> bytes:
        """Flags and identity 2 B, type and length 1 B each, data."""
        flags = (self.close << 15) | (self.arq << 13) | (self.answer << 11) | self.connection
        return flags.to_bytes(2, "big") + bytes((CONNECTION_432, len(self.data))) + self.data

    @classmethod
    def decode(cls, data: bytes) -> Connection:
        """From the payload of the packet."""
        flags = int.from_bytes(data[:2], "big")
        return cls(bool(flags >> 15), bool(flags >> 13 & 1), bool(flags >> 11 & 1), flags & 0x1FF, data[4:])


CONNECTION_432 = 3
"""Type of a connection of the IEC 61334-4-32 convergence layer (value confidence C)."""


class Promotion(NamedTuple):
    """Payload of PRO: ``leave`` is the N bit (demotion or refusal), ``quality`` of the needy node's request, 0 to 7.

    ``switch`` is the identity to be taken or given up; a request of a terminal bears `NO_SWITCH` and the address of
    the ``needy`` node.
    """

    leave: bool
    quality: int
    switch: int
    needy: bytes = b""

    def encode(self) -> bytes:
        """2 bytes; 11 for a request: address, costs both ways and flags follow."""
        head = bytes(((self.leave << 7) | (self.quality << 3), self.switch))
        return head + (self.needy + bytes(3) if self.needy else b"")

    @classmethod
    def decode(cls, data: bytes) -> Promotion:
        """From the payload of the packet."""
        return cls(bool(data[0] >> 7), data[0] >> 3 & 7, data[1], data[2:8])


class Slot(NamedTuple):
    """When a switch sends its beacon: in slot ``number`` of each MAC frame ``k`` with k mod every = phase.

    ``every`` is a power of two from 1 to 32.
    """

    number: int
    every: int
    phase: int

    def encode(self) -> bytes:
        """Payload of BSI, 2 bytes: frequency code; slot and sequence number."""
        return bytes((self.every.bit_length() - 1, (self.number << 5) | self.phase))

    @classmethod
    def decode(cls, data: bytes) -> Slot:
        """From the payload of the packet."""
        return cls(data[1] >> 5, 1 << (data[0] & 7), data[1] & 0x1F)


def alive(received: int, sent: int, code: int, switch: int) -> bytes:
    """Payload of ALV, 3 bytes: counts of the last keep-alives either way, keep-alive time, switch of the sender."""
    return bytes(((received & 7) << 5 | (sent & 7) << 2, code & 7, switch))


def request_beacon(network: bytes, address: bytes) -> bytes:
    """Frame of a node that hears no beacon (PNPDU), 14 bytes: subnetwork if known, its own address, check."""
    data = b"\x10" + network + address
    return data + bytes((crc8(data),))


def requested_by(frame: bytes) -> bytes | None:
    """Address of the node that asks for a beacon; None where the check does not fit or the frame is of another kind."""
    fits = len(frame) == 14 and (frame[0] >> 4) & 3 == 1 and crc8(frame[:13]) == frame[13]
    return frame[7:13] if fits else None


class Beacon(NamedTuple):
    """What a beacon tells: identity and level of its sender, its slot, number of the MAC frame, slots in use."""

    switch: int
    level: int
    slot: Slot
    frame_number: int
    slots: int


def encode_beacon(beacon: Beacon, network: bytes) -> bytes:
    """Beacon of 18 bytes.

    >>> one = Beacon(7, 2, Slot(3, 4, 1), 9, 5)
    >>> len(encode_beacon(one, bytes(6))), decode_beacon(encode_beacon(one, bytes(6)))[1] == one
    (18, True)
    """
    slot = beacon.slot
    counts = (beacon.slots << 13 | slot.number << 10).to_bytes(2, "big")
    times = ((beacon.frame_number & 0x1F) << 3 | (slot.every.bit_length() - 1)).to_bytes(1, "big")
    head = bytes((0x20, beacon.switch)) + counts + bytes((beacon.level << 1,)) + times
    return with_crc32(head + network + bytes(2))


def decode_beacon(frame: bytes) -> tuple[bytes, Beacon] | None:
    """Network and content of a beacon; None where the check does not fit or the frame is of another kind."""
    data = checked_crc32(frame)
    if data is None or len(data) != 14 or (data[0] >> 4) & 3 != 2:
        return None
    counts, every, number = int.from_bytes(data[2:4], "big"), 1 << (data[5] & 7), data[5] >> 3
    slot = Slot(counts >> 10 & 7, every, number % every)
    return data[6:12], Beacon(data[1], data[4] >> 1 & 0x3F, slot, number, counts >> 13)
