"""Bytes of the G3-PLC adaptation layer: mesh header, fragments, and the message they are cut from and put together to.

Mesh header, five bytes: dispatch, mark of a fragment and hops left, originator, final destination. Fragment header,
five bytes: tag, size of the whole message, number of the fragment. Compressed IP and UDP headers, four bytes that
matter: number of the message and its check sum. What the settings give them beyond that is filled with zeros.
After RFC 4944 sections 5.2, 5.3 and RFC 6282, with whole fragments as the unit of the offset.
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass

from .framing import MacSettings, fragment_sizes_bytes
from .modem import DATA, DISPATCH

MESH_BYTES, FRAGMENT_HEADER_BYTES, IP_BYTES = 5, 5, 4
FRAGMENTED = 0x08
MOST_HOPS = 15


def check_headers(mac: MacSettings) -> None:
    """Raise ValueError where the headers have no room for what they must say."""
    for name, least in (
        ("mesh_header_bytes", MESH_BYTES),
        ("fragment_header_bytes", FRAGMENT_HEADER_BYTES),
        ("ip_header_bytes", IP_BYTES),
    ):
        if getattr(mac, name) < least:
            raise ValueError(f"{name} {getattr(mac, name)} is too short for what it says; give at least {least}")


@dataclass(frozen=True)
class MeshHeader:
    """Where a fragment comes from, where it goes, and which one it is.

    number : of the message at its originator;  size : of the whole message with its IP header [B];  index : fragment
    """

    originator: int
    destination: int
    hops_left: int
    number: int
    size: int
    index: int


def fragments(
    payload: bytes, originator: int, destination: int, number: int, hops: int, mac: MacSettings
) -> list[bytes]:
    """MAC payloads of a message.

    Parameters
    ----------
    payload : at least one byte;  originator, destination : member indices
    number : of the message, 0 to 65535;  hops : longest way, 1 to 15

    Raises ValueError where the message is longer than a fragment header can say.
    """
    check = binascii.crc_hqx(payload, 0).to_bytes(2, "big")
    message = number.to_bytes(2, "big") + check + bytes(mac.ip_header_bytes - IP_BYTES) + payload
    sizes = fragment_sizes_bytes(len(payload), mac)
    if len(message) > 0xFFFF or len(sizes) > 0x100:
        raise ValueError(f"a payload of {len(payload)} B needs {len(sizes)} fragments; send at most 256 at once")
    cut = len(sizes) > 1
    first = DATA | (FRAGMENTED if cut else 0) | hops << 4
    mesh = bytes((first,)) + originator.to_bytes(2, "big") + destination.to_bytes(2, "big")
    mesh += bytes(mac.mesh_header_bytes - MESH_BYTES)
    filling = bytes(mac.fragment_header_bytes - FRAGMENT_HEADER_BYTES)
    made, at = [], 0
    for index, size in enumerate(sizes):
        mark = number.to_bytes(2, "big") + len(message).to_bytes(2, "big") + bytes((index,)) + filling if cut else b""
        body = message[at : at + size - len(mesh) - len(mark)]
        at += len(body)
        made.append(mesh + mark + body)
    return made


def read_header(fragment: bytes, mac: MacSettings) -> MeshHeader | None:
    """Header of a data fragment; None where it is too short for its headers or may go no hop at all."""
    rest, hops_left, cut = fragment[mac.mesh_header_bytes :], fragment[0] >> 4, fragment[0] & FRAGMENTED
    if not hops_left or len(rest) <= (mac.fragment_header_bytes if cut else mac.ip_header_bytes):
        return None
    originator, destination = int.from_bytes(fragment[1:3], "big"), int.from_bytes(fragment[3:5], "big")
    number = int.from_bytes(rest[:2], "big")
    size, index = (int.from_bytes(rest[2:4], "big"), rest[4]) if cut else (len(rest), 0)
    return MeshHeader(originator, destination, hops_left, number, size, index)


def body(fragment: bytes, mac: MacSettings) -> bytes:
    """Part of the message that a data fragment carries."""
    cut = mac.fragment_header_bytes if fragment[0] & FRAGMENTED else 0
    return fragment[mac.mesh_header_bytes + cut :]


def one_hop_further(fragment: bytes) -> bytes:
    """The fragment with one hop less left."""
    return bytes((fragment[0] - 0x10,)) + fragment[1:]


def payload_of(message: bytes, mac: MacSettings) -> bytes | None:
    """Payload of a message put together; None where its check sum does not fit."""
    payload = message[mac.ip_header_bytes :]
    return payload if binascii.crc_hqx(payload, 0).to_bytes(2, "big") == message[2:4] else None


def is_data(payload: bytes) -> bool:
    """Whether a MAC payload carries data."""
    return payload[0] & DISPATCH == DATA
