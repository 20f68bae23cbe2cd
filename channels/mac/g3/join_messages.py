"""Frames with which a G3-PLC meter finds and joins a network: beacon request, beacon, bootstrapping messages.

Lengths are those of the line; authenticators and keys stand as zero bytes, since nothing here tries to break in.

References
----------
ITU-T G.9903 (beacons of IEEE 802.15.4, LoWPAN bootstrapping protocol LBP: header of 12 bytes with the 64-bit address
of the joining device) and RFC 4764 (EAP-PSK messages 1 to 4). Identities of 8 bytes and the list of parameters in
message 3 (short address, group key, key activation) as open stacks send them; confidence B.
"""

from __future__ import annotations

from dataclasses import dataclass

DISPATCH = 0x03
"""First byte of frames that also devices outside take; what goes to short addresses of members begins otherwise."""
BEACON, NEAR, FAR, BEACON_REQUEST = (0x03, 0x00), (0x03, 0x02), (0x02, 0x02), (0x03, 0x07)
"""First two bytes: beacon; LBP between neighbours; LBP over the mesh, with a mesh header; beacon request."""

JOINING, ACCEPTED, CHALLENGE, DECLINE, KICK = CODES = 0x1, 0x9, 0xA, 0xB, 0xC
"""Codes of LBP: the first from the device, the others to it."""

FIRST, SECOND, THIRD, FOURTH = 0, 1, 2, 3
"""Messages of EAP-PSK by the number in their flags."""

EUI_BYTES, RAND_BYTES, NAI_BYTES = 8, 16, 8
EAP_TYPE_PSK = 47
EAP_CODES = {FIRST: 1, SECOND: 2, THIRD: 1, FOURTH: 2}
SUCCESS = bytes((3, 0, 0, 4))
LBP_BYTES, MESH_BYTES = 12, 5
SHORTEST = {BEACON: 12, NEAR: LBP_BYTES, FAR: LBP_BYTES + MESH_BYTES, BEACON_REQUEST: 2}

# bytes behind RAND_S: identity | RAND_P, MAC_P, identity | MAC_S, channel | channel; a protected channel is nonce 4,
# tag 16, result 1, extension type 1 and parameters: 2+2 address, 2+17 group key, 2+1 activation; 2+2 result
EAP_REST = {FIRST: NAI_BYTES, SECOND: 16 + 16 + NAI_BYTES, THIRD: 16 + 22 + 26, FOURTH: 22 + 4}
ADDRESS_AT = 16 + 22 + 2


@dataclass(frozen=True)
class Beacon:
    """A joined node tells its address and what its route to the coordinator costs."""

    address: int
    route_cost: int
    pan: int = 0x781D


@dataclass(frozen=True)
class Lbp:
    """A bootstrapping message.

    code : one of the codes;  eui : address of the joining device, 64 bits;  payload : EAP, empty in the first request
    """

    code: int
    eui: int
    payload: bytes = b""


@dataclass(frozen=True)
class FarLbp:
    """A bootstrapping message on its way between agent and coordinator; all short addresses."""

    originator: int
    destination: int
    hops_left: int
    lbp: Lbp


@dataclass(frozen=True)
class BeaconRequest:
    """Is anybody there?"""


JoinMessage = Beacon | Lbp | FarLbp | BeaconRequest


def encode_join(message: JoinMessage) -> bytes:
    """Bytes of a frame: 2 of a beacon request, 12 of a beacon, 12 of an LBP header and 5 more with its mesh header.

    Raises ValueError where a field is outside its range.

    >>> encode_join(BeaconRequest()).hex(), len(encode_join(Lbp(JOINING, eui=5)))
    ('0307', 12)
    """
    if isinstance(message, BeaconRequest):
        return bytes(BEACON_REQUEST)
    if isinstance(message, Beacon):
        head = bytes(BEACON) + _word(message.pan, "pan") + _word(message.address, "address")
        return head + bytes(4) + _word(message.route_cost, "route_cost")
    if isinstance(message, Lbp):
        return bytes(NEAR) + _lbp(message)
    if not 0 <= message.hops_left <= 0xFF:
        raise ValueError(f"hops_left {message.hops_left} of a bootstrapping message must be 0 to 255")
    mesh = _word(message.originator, "originator") + _word(message.destination, "destination")
    return bytes((*FAR, message.hops_left)) + mesh + _lbp(message.lbp)


def decode_join(data: bytes) -> JoinMessage:
    """The message that `encode_join` wrote. Raises ValueError where kind, code, length or EAP is none of these.

    >>> decode_join(encode_join(Beacon(address=7, route_cost=18))).route_cost
    18
    """
    kind = tuple(data[:2])
    if kind not in SHORTEST:
        raise ValueError(f"bytes {data[:2].hex()} begin no joining frame; expect 0300, 0302, 0307 or 0202")
    if len(data) < SHORTEST[kind]:
        raise ValueError(f"a joining frame {data[:2].hex()} has at least {SHORTEST[kind]} bytes, not {len(data)}")
    if kind == BEACON_REQUEST:
        return BeaconRequest()
    if kind == BEACON:
        return Beacon(_read(data, 4), _read(data, 10), _read(data, 2))
    if kind == NEAR:
        return _read_lbp(data[2:])
    return FarLbp(_read(data, 3), _read(data, 5), data[2], _read_lbp(data[7:]))


def is_joining(payload: bytes) -> bool:
    """The payload is a joining frame, whatever its address."""
    return payload[0] == DISPATCH or tuple(payload[:2]) == FAR


def eap(step: int, rand: bytes, address: int = 0) -> bytes:
    """Message 1 to 4 of EAP-PSK, ``step`` 0 to 3, with the coordinator's random number.

    Parameters
    ----------
    rand : 16 bytes, the number that ties the four messages together
    address : short address that message 3 hands out

    Raises ValueError where the step or the length of the number is impossible.

    >>> [len(eap(step, bytes(16))) for step in range(4)]
    [30, 62, 86, 48]
    """
    if step not in EAP_REST or len(rand) != RAND_BYTES:
        raise ValueError(f"EAP-PSK has steps 0 to 3 and numbers of {RAND_BYTES} bytes, not {step} and {len(rand)}")
    rest = bytearray(EAP_REST[step])
    if step == THIRD:
        rest[ADDRESS_AT : ADDRESS_AT + 2] = _word(address, "address")
    length = 6 + RAND_BYTES + len(rest)
    return bytes((EAP_CODES[step], 0)) + _word(length, "length") + bytes((EAP_TYPE_PSK, step << 6)) + rand + bytes(rest)


def read_eap(data: bytes) -> tuple[int, bytes, int]:
    """Step, random number and short address (0 but in step 2) of an EAP-PSK message.

    Raises ValueError where it is none.

    >>> read_eap(eap(THIRD, bytes(16), address=9))[::2]
    (2, 9)
    """
    if len(data) < 6 + RAND_BYTES or data[4] != EAP_TYPE_PSK or len(data) != _read(data, 2):
        raise ValueError(f"{len(data)} bytes are no EAP-PSK message; expect type {EAP_TYPE_PSK} and its length")
    step = data[5] >> 6
    at = 6 + RAND_BYTES + ADDRESS_AT
    return step, data[6 : 6 + RAND_BYTES], _read(data, at) if step == THIRD else 0


def _lbp(message: Lbp) -> bytes:
    if not (0 <= message.code <= 15 and 0 <= message.eui < 2**64):
        raise ValueError(f"LBP code {message.code} must be 0 to 15 and address {message.eui} have 64 bits")
    return bytes((message.code << 4, 0)) + message.eui.to_bytes(EUI_BYTES, "big") + message.payload


def _read_lbp(data: bytes) -> Lbp:
    message = Lbp(data[0] >> 4, int.from_bytes(data[2 : 2 + EUI_BYTES], "big"), data[2 + EUI_BYTES :])
    if message.code not in CODES:
        raise ValueError(f"code {message.code} of LBP is unknown; expect one of {CODES}")
    if message.code == CHALLENGE or (message.code == JOINING and message.payload):
        read_eap(message.payload)
    return message


def _word(value: int, name: str) -> bytes:
    if not 0 <= value <= 0xFFFF:
        raise ValueError(f"{name} {value} of a joining frame must be 0 to 65535")
    return value.to_bytes(2, "big")


def _read(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "big")
