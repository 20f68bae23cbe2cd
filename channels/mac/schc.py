"""How a datagram is cut for LoRaWAN: SCHC fragments, their number, and what repeats can mend.

After RFC 9011 (profile of RFC 8724 for LoRaWAN): uplink ACK-on-Error with tiles of 10 B, windows of 63 tiles,
4 windows; downlink ACK-Always with one tile per window.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln

Array = NDArray[Any]

TILE_BYTES = 10
WINDOW_TILES = 63
N_WINDOWS = 4
MTU_BYTES = N_WINDOWS * WINDOW_TILES * TILE_BYTES
HEADER_BYTES = 1
RCS_BYTES = 4
MAX_ACK_REQUESTS = 8


def uplink_frames(datagram_bytes: ArrayLike, max_payload_bytes: ArrayLike) -> Array:
    """Frames that carry one datagram upwards without loss.

    Parameters
    ----------
    datagram_bytes : (n,)
        Compressed datagram [B], positive. What exceeds the MTU of 2520 B goes as blocks, each a datagram.
    max_payload_bytes : scalar or (n,)
        Application payload that one frame carries at its data rate [B].

    Returns
    -------
    (n,) int64: 1 where it fits whole; else the All-1 frame, which carries the last tile, and as many frames as
    the other tiles need. Raises ValueError for an empty datagram, or where a frame cannot even hold a tile.

    References
    ----------
    RFC 9011, section 5.6.2 (tile 10 B, W 2 bits, FCN 6 bits, 1 B of header, RCS 4 B).

    >>> int(uplink_frames(1000, 51))
    21
    """
    size, payload = _checked(datagram_bytes, max_payload_bytes)
    per_frame = (payload - HEADER_BYTES) // TILE_BYTES
    if ((per_frame < 1) & (size > payload)).any():
        raise ValueError("max_payload_bytes below 11 carries no tile: use a faster data rate or a shorter datagram")
    n_full, rest = np.divmod(size, MTU_BYTES)
    full = -(-(MTU_BYTES // TILE_BYTES - 1) // np.maximum(per_frame, 1)) + 1
    tail_tiles = -(-rest // TILE_BYTES)
    tail = np.where(rest > payload, -(-(tail_tiles - 1) // np.maximum(per_frame, 1)) + 1, (rest > 0).astype(np.int64))
    return np.asarray(n_full * full + tail)


def uplink_frame_bytes(datagram_bytes: ArrayLike, max_payload_bytes: ArrayLike) -> Array:
    """Application payload of the longest frame of a datagram, the one that sets airtime and collisions.

    Parameters
    ----------
    datagram_bytes, max_payload_bytes : as in `uplink_frames`.

    Returns
    -------
    (n,) int64 [B]: the datagram itself where it fits whole, else header and as many tiles as fit.

    References
    ----------
    RFC 9011, section 5.6.2.
    """
    size, payload = _checked(datagram_bytes, max_payload_bytes)
    tiles = np.minimum((payload - HEADER_BYTES) // TILE_BYTES, -(-size // TILE_BYTES))
    return np.asarray(np.where(size <= payload, size, HEADER_BYTES + tiles * TILE_BYTES))


def downlink_frames(datagram_bytes: ArrayLike, max_payload_bytes: ArrayLike) -> Array:
    """Frames that carry one datagram downwards; each is a window of one tile and is acknowledged by itself.

    Parameters
    ----------
    datagram_bytes, max_payload_bytes : as in `uplink_frames`.

    Returns
    -------
    (n,) int64. The last frame also carries the 4 B check sum. Raises ValueError for an empty datagram.

    References
    ----------
    RFC 9011, section 5.6.3 (ACK-Always, W 1 bit, FCN 1 bit).
    """
    size, payload = _checked(datagram_bytes, max_payload_bytes)
    return np.asarray(np.where(size <= payload, 1, -(-(size + RCS_BYTES) // np.maximum(payload - HEADER_BYTES, 1))))


def completion_by_round(frame_success: ArrayLike, ack_success: ArrayLike, n_frames: ArrayLike, n_rounds: int) -> Array:
    """Probability that every frame of a datagram is in after each round of ACK-on-Error.

    All frames are sent in the first round. A later round repeats what is missing, but only if the sender learnt
    it: the last frame of the round before and the acknowledgement must both have passed.

    Parameters
    ----------
    frame_success : (n,) probability that one frame arrives.
    ack_success : (n,) probability that an acknowledgement request and its answer both pass.
    n_frames : (n,) frames of the datagram.
    n_rounds : rounds at most, `MAX_ACK_REQUESTS` in the standard.

    Returns
    -------
    (n_rounds, n) rising with the round. Raises ValueError for less than one round.

    References
    ----------
    RFC 8724, section 8.4.3; binomial over the rounds in which the sender knew what was missing.
    """
    if n_rounds < 1:
        raise ValueError(f"n_rounds must be at least 1, not {n_rounds}")
    p, a, n = np.broadcast_arrays(
        np.asarray(frame_success, np.float64), np.asarray(ack_success, np.float64), np.asarray(n_frames)
    )
    after = np.stack([(1.0 - (1.0 - p) ** (k + 1)) ** n for k in range(n_rounds)])
    out = np.empty(after.shape)
    for held in range(n_rounds):
        terms = [_binomial(held, k, a) * after[k] for k in range(held + 1)]
        out[held] = np.sum(terms, axis=0)
    return out


def fragment(datagram: bytes, max_payload_bytes: int) -> list[bytes]:
    """The uplink fragments of a datagram, as they go over the air after the RuleID (the FPort).

    Parameters
    ----------
    datagram : 1 to 2520 B that do not fit into one frame.
    max_payload_bytes : application payload of a frame [B], at least 15 so that the All-1 frame holds a tile.

    Returns
    -------
    list of payloads; each begins with W (2 bits) and FCN (6 bits) of its first tile, the last is the All-1 frame
    with the check sum. Raises ValueError where the datagram is empty or above the MTU, or the payload too small.

    References
    ----------
    RFC 9011, section 5.6.2; RFC 8724, section 8.3 (formats), appendix on the CRC-32 check sum.
    """
    if not 0 < len(datagram) <= MTU_BYTES:
        raise ValueError(f"datagram must have 1 to {MTU_BYTES} bytes, not {len(datagram)}; send it as blocks")
    if max_payload_bytes < HEADER_BYTES + RCS_BYTES + TILE_BYTES:
        raise ValueError(f"max_payload_bytes {max_payload_bytes} holds no tile beside header and check sum")
    tiles = [datagram[i : i + TILE_BYTES] for i in range(0, len(datagram), TILE_BYTES)]
    per_frame = (max_payload_bytes - HEADER_BYTES) // TILE_BYTES
    frames = []
    for first in range(0, len(tiles) - 1, per_frame):
        window, place = divmod(first, WINDOW_TILES)
        body = b"".join(tiles[first : min(first + per_frame, len(tiles) - 1)])
        frames.append(bytes([window << 6 | (WINDOW_TILES - 1 - place)]) + body)
    last_window = (len(tiles) - 1) // WINDOW_TILES
    checksum = zlib.crc32(datagram).to_bytes(RCS_BYTES, "big")
    return [*frames, bytes([last_window << 6 | WINDOW_TILES]) + checksum + tiles[-1]]


def reassemble(frames: list[bytes]) -> bytes | None:
    """The datagram of a set of fragments in any order, or None where a tile is missing or the check sum fails.

    References
    ----------
    RFC 9011, section 5.6.2; RFC 8724, section 8.4.3.
    """
    tiles: dict[int, bytes] = {}
    last: tuple[bytes, bytes] | None = None
    for frame in frames:
        window, fcn = frame[0] >> 6, frame[0] & WINDOW_TILES
        if fcn == WINDOW_TILES:
            last = frame[1 : 1 + RCS_BYTES], frame[1 + RCS_BYTES :]
            continue
        first = window * WINDOW_TILES + (WINDOW_TILES - 1 - fcn)
        body = frame[HEADER_BYTES:]
        tiles |= {first + i // TILE_BYTES: body[i : i + TILE_BYTES] for i in range(0, len(body), TILE_BYTES)}
    if last is None or set(tiles) != set(range(len(tiles))):
        return None
    datagram = b"".join(tiles[i] for i in range(len(tiles))) + last[1]
    return datagram if zlib.crc32(datagram).to_bytes(RCS_BYTES, "big") == last[0] else None


def _checked(datagram_bytes: ArrayLike, max_payload_bytes: ArrayLike) -> tuple[Array, Array]:
    size, payload = np.asarray(datagram_bytes, np.int64), np.asarray(max_payload_bytes, np.int64)
    if (size < 1).any():
        raise ValueError("datagram_bytes must be at least 1")
    if (payload < 1).any():
        raise ValueError("max_payload_bytes must be at least 1")
    return size, payload


def _binomial(n: int, k: int, p: Array) -> Array:
    ways = np.exp(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1))
    return np.asarray(ways * p**k * (1.0 - p) ** (n - k))
