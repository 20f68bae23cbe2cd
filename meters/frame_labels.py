"""What went over a line, taken apart: the frames of each turn, and a name for what each says."""

from __future__ import annotations

from collections import Counter

from .dlms.hdlc import DISC, LLC_REQUEST, LLC_RESPONSE, POLL, SNRM, UA, unpack
from .dlms.wrapper import HEADER_BYTES

UP, DOWN = 1, 0
Said = tuple[int, bytes]
"""Direction and bytes of one turn on the line."""


_NAMES = {
    0x60: "AARQ", 0x61: "AARE", 0x62: "RLRQ", 0x63: "RLRE",
    0xC0: "GET-request", 0xC8: "GET-request", 0xC4: "GET-response", 0xCC: "GET-response",
    0xC1: "SET-request", 0xC9: "SET-request", 0xC5: "SET-response", 0xCD: "SET-response",
    0xC3: "ACTION-request", 0xCB: "ACTION-request", 0xC7: "ACTION-response", 0xCF: "ACTION-response",
    0x0F: "DataNotification", 0xE0: "general block", 0xD8: "exception",
}  # fmt: skip
_HDLC_NAMES = {SNRM: "SNRM", UA: "UA", DISC: "DISC"}


def frames_of(turn: bytes, framing: str) -> list[bytes]:
    """The datagrams or HDLC frames of one turn, one after another as their length fields say."""
    frames, at = [], 0
    while at < len(turn):
        if framing == "wrapper":
            end = at + HEADER_BYTES + int.from_bytes(turn[at + 6 : at + 8], "big")
        else:
            end = at + 2 + (int.from_bytes(turn[at + 1 : at + 3], "big") & 0x7FF)
        frames.append(turn[at:end])
        at = end
    return frames


def labels_of(frames: list[Said], framing: str, *, push: bool) -> list[str]:
    """What each frame says; messages of one kind are numbered, and so are the frames of one message."""
    veiled = {UP: "DataNotification" if push else "ciphered response", DOWN: "ciphered request"}
    names = list[str]()
    message_of = list[int]()
    for direction, frame in frames:
        name = _name(frame, framing, veiled[direction])
        if name:
            names.append("HLS pass 3" if name == "ACTION-request" and names[-1:] == ["AARE"] else name)
            names[-1] = "HLS pass 4" if name == "ACTION-response" and names[-2:-1] == ["HLS pass 3"] else names[-1]
        message_of.append(len(names) - 1 if name is not None else -1)
    n_frames, n_alike = Counter(message_of), Counter(names)
    labels, told = list[str](), Counter[int]()
    for message in message_of:
        if message < 0:
            labels.append("receive-ready")
            continue
        told[message] += 1
        name, number = names[message], names[: message + 1].count(names[message])
        label = f"{name} {number}" if n_alike[name] > 1 else name
        labels.append(f"{label}, frame {told[message]}" if n_frames[message] > 1 else label)
    return labels


def _name(frame: bytes, framing: str, veiled: str) -> str | None:
    """What a frame begins to say, ``veiled`` where that is ciphered; empty where it goes on, None: receive-ready."""
    if framing == "wrapper":
        return _NAMES.get(frame[HEADER_BYTES], veiled)
    one = unpack(frame)
    if one.is_supervisory:
        return None
    if not one.is_information:
        return _HDLC_NAMES.get(one.control & ~POLL | POLL, "link")
    begins = one.info[:3] in (LLC_REQUEST, LLC_RESPONSE)
    return _NAMES.get(one.info[3], veiled) if begins else ""
