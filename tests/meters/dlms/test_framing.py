import pytest
from amiplan.meters.dlms import hdlc, wrapper
from hypothesis import given, settings
from hypothesis import strategies as st


def test_frame_check_sequence_of_the_catalogue():
    """CRC-16/X-25 check value; RFC 1662 appendix C: a frame with its FCS leaves the residue 0xF0B8."""
    assert hdlc.fcs16(b"123456789") == 0x906E
    assert hdlc.fcs16(b"123456789" + (0x906E).to_bytes(2, "little")) ^ 0xFFFF == 0xF0B8


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 65535), st.integers(0, 65535), st.binary(max_size=300))
def test_wrapper_returns_and_adds_eight_bytes(source, destination, apdu):
    data = wrapper.pack(source, destination, apdu)
    assert wrapper.unpack(data) == (source, destination, apdu)
    assert len(data) == len(apdu) + 8


@pytest.mark.parametrize(
    "data", ["", "00010001000100", "0002000100010001aa", "0001000100010002aa", "0001000100010000aa"]
)
def test_wrong_wrappers_are_refused(data):
    with pytest.raises(ValueError):
        wrapper.unpack(bytes.fromhex(data))
    with pytest.raises(ValueError):
        wrapper.pack(1, 70000, b"")


@pytest.mark.parametrize(
    ("max_info", "n_line", "n_frames"),
    [(128, 3794, 28), (256, 3640, 14), (512, 3563, 7), (1024, 3530, 4), (2030, 3508, 2)],
)
def test_line_bytes_of_the_ciphered_profile(max_info, n_line, n_frames):
    """3 483 B of ciphered APDU, as cut by an independent DLMS library."""
    cut = hdlc.frames(bytes(3483), client=1, server=1, response=True, max_info_bytes=max_info)
    assert (sum(map(len, cut)), len(cut)) == (n_line, n_frames)


@pytest.mark.parametrize(("n_apdu", "n_line"), [(32, 46), (28, 42), (83, 97), (64, 78)])
def test_single_frames_add_fourteen_bytes(n_apdu, n_line):
    assert [len(f) for f in hdlc.frames(bytes(n_apdu), client=1, server=1, response=False)] == [n_line]


def test_link_commands_have_their_lengths():
    assert [len(f) for f in hdlc.connect(1, 1) + hdlc.disconnect(1, 1)] == [9, 34, 9, 9]
    assert len(hdlc.acknowledge(source=1, destination=1, receive=3)) == 9
    with pytest.raises(ValueError, match="information frame"):
        _ = hdlc.unpack(hdlc.connect(1, 1)[0]).sequence


@settings(max_examples=40, deadline=None)
@given(st.binary(min_size=1, max_size=700), st.integers(32, 200), st.integers(0, 7), st.booleans())
def test_cut_and_joined_apdus_return(apdu, max_info, send, response):
    cut = hdlc.frames(apdu, client=16, server=1, response=response, send=send, max_info_bytes=max_info)
    assert hdlc.join(cut) == apdu
    if len(cut) > 1:
        for wrong in (cut[:-1], cut[1:], cut[::-1], [cut[0], *cut]):
            with pytest.raises(ValueError):
                hdlc.join(wrong)


def test_every_flipped_bit_is_refused():
    frame = hdlc.frames(b"twenty bytes of data", client=1, server=1, response=True)[0]
    for bit in range(8 * len(frame)):
        changed = bytearray(frame)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ValueError):
            hdlc.unpack(bytes(changed))


def test_impossible_frames_are_refused():
    with pytest.raises(ValueError, match="max_info_bytes"):
        hdlc.frames(b"x", client=1, server=1, response=True, max_info_bytes=4000)
    with pytest.raises(ValueError, match="128"):
        hdlc.pack(hdlc.Frame(200, 1, 0, False, b""))
    with pytest.raises(ValueError, match="missing"):
        hdlc.join([])
    with pytest.raises(ValueError, match="LLC"):
        hdlc.join([hdlc.pack(hdlc.Frame(1, 1, hdlc.information(0, 0), False, b"abcd"))])
