import pytest
from amiplan.meters.dlms import hdlc
from amiplan.meters.dlms.hdlc import Address, Frame, FrameReader, Parameters, pack, unpack
from hypothesis import given, settings
from hypothesis import strategies as st

INFORMATION = hdlc.information(0, 0)
SEVEN, FOURTEEN = st.integers(0, 127), st.integers(0, 16383)
ADDRESSES = st.one_of(
    st.builds(Address, SEVEN),
    st.builds(Address, SEVEN, SEVEN, st.just(2)),
    st.builds(Address, FOURTEEN, FOURTEEN, st.just(4)),
)
FRAMES = st.builds(Frame, ADDRESSES, ADDRESSES, st.integers(0, 255), st.booleans(), st.binary(max_size=60))


def chopped(data, sizes):
    """``data`` in pieces of the given lengths, over and over."""
    at, pieces = 0, []
    while at < len(data):
        n_bytes = sizes[len(pieces) % len(sizes)]
        pieces.append(data[at : at + n_bytes])
        at += n_bytes
    return pieces


def with_check(body):
    """A frame around ``body`` whose last check is right, whatever the rest says."""
    return b"\x7e" + body + hdlc.fcs16(body).to_bytes(2, "little") + b"\x7e"


def test_frame_check_sequence_of_the_catalogue():
    """CRC-16/X-25 check value; RFC 1662 appendix C: a frame with its FCS leaves the residue 0xF0B8."""
    assert hdlc.fcs16(b"123456789") == 0x906E
    assert hdlc.fcs16(b"123456789" + (0x906E).to_bytes(2, "little")) ^ 0xFFFF == 0xF0B8


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=80))
def test_frame_check_sequence_bit_by_bit(data):
    state = 0xFFFF
    for bit in (byte >> i & 1 for byte in data for i in range(8)):
        state = state >> 1 ^ (0x8408 if (state ^ bit) & 1 else 0)
    assert hdlc.fcs16(data) == state ^ 0xFFFF


@pytest.mark.parametrize(
    ("address", "octets", "snrm"),
    [
        (Address(1), "03", "7ea0070321930f017e"),
        (Address(1, 17, 2), "0223", "7ea00802232193bd647e"),
        (Address(18, 52, 2), "2469", "7ea0082469219378d57e"),
        (Address(1, 17, 4), "00020023", "7ea00a00020023219318717e"),
        (Address(300, 5000, 4), "04584e11", "7ea00a04584e1121939dd37e"),
    ],
)
def test_addresses_of_two_libraries(address, octets, snrm):
    """SNRM of client 16 as written by gurux-dlms 1.0.203 and by dlms-cosem 25.1.0, equal bytes."""
    assert address.octets.hex() == octets
    assert hdlc.connect(16, address)[0].hex() == snrm
    assert unpack(bytes.fromhex(snrm)) == Frame(address, Address(16), hdlc.SNRM, False, b"")


def test_parameters_of_another_library():
    """SNRM with parameters as written by gurux-dlms 1.0.203."""
    asked = Parameters(1024, 512, 3, 7)
    snrm = "7ea0200321937dd98180140502040006020200070400000003080400000007" + "92bf7e"
    assert pack(Frame(Address(1), Address(16), hdlc.SNRM, False, asked.pack())).hex() == snrm
    assert Parameters.unpack(unpack(bytes.fromhex(snrm)).info) == asked
    short = unpack(bytes.fromhex("7ea012032193f9ac8180060501f80601f8272c7e"))
    assert Parameters.unpack(short.info) == Parameters(248, 248, 1, 1)


def test_parameters_left_out_unknown_or_beyond_the_format():
    assert Parameters.unpack(b"") == Parameters(128, 128, 1, 1)
    assert Parameters.unpack(bytes.fromhex("818000")) == Parameters()
    assert Parameters.unpack(bytes.fromhex("818007" + "0902ffff" + "080103")) == Parameters(window_receive=3)
    assert Parameters.unpack(bytes.fromhex("81800a" + "05040000ffff" + "070209ff")) == Parameters(2030, 128, 7, 1)


@pytest.mark.parametrize(
    "info", ["81", "8180", "818003", "80800105", "81800105", "8180020501", "8180020500", "818003050100", "818003070100"]
)
def test_wrong_parameters_are_refused(info):
    with pytest.raises(ValueError):
        Parameters.unpack(bytes.fromhex(info))


def test_parameters_outside_their_ranges_are_refused():
    for wrong in ((0, 128, 1, 1), (128, 2031, 1, 1)):
        with pytest.raises(ValueError, match="max_info_bytes"):
            Parameters(*wrong)
    for wrong in ((128, 128, 8, 1), (128, 128, 1, 0)):
        with pytest.raises(ValueError, match="window"):
            Parameters(*wrong)


@settings(max_examples=60, deadline=None)
@given(*[st.tuples(st.integers(1, 2030), st.integers(1, 2030), st.integers(1, 7), st.integers(1, 7))] * 2)
def test_both_sides_agree_on_what_is_granted(client, server):
    asked, own = Parameters(*client), Parameters(*server)
    assert Parameters.unpack(asked.pack()) == asked
    granted = own.granted(asked)
    seen = asked.granted(Parameters.unpack(granted.pack()))
    assert (seen.max_info_send, seen.window_send) == (granted.max_info_receive, granted.window_receive)
    assert (seen.max_info_receive, seen.window_receive) == (granted.max_info_send, granted.window_send)


@pytest.mark.parametrize("wrong", [(1, 0, 3), (1, 0, 0), (128,), (1, 1), (-1,), (1, 128, 2), (16384, 0, 4)])
def test_impossible_addresses_are_refused(wrong):
    with pytest.raises(ValueError, match="bytes"):
        Address(*wrong)


def test_special_addresses():
    assert [Address(127).for_all, Address(1, 127, 2).for_all, Address(1, 16383, 4).for_all] == [True] * 3
    assert [Address(126).for_all, Address(1, 127, 4).for_all, Address(0).for_all] == [False] * 3
    assert [Address(0).for_none, Address(0, 0, 4).for_none, Address(0, 1, 2).for_none] == [True, True, False]


@settings(max_examples=150, deadline=None)
@given(FRAMES)
def test_frames_return(frame):
    data = pack(frame)
    assert unpack(data) == frame
    assert pack(unpack(data)) == data
    assert FrameReader().feed(data) == [data]


def test_every_flipped_bit_is_refused():
    frame = hdlc.frames(b"twenty bytes of data", client=1, server=1, response=True)[0]
    for bit in range(8 * len(frame)):
        changed = bytearray(frame)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ValueError):
            unpack(bytes(changed))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("a008" + "0202030313", "frame format"),
        ("9007" + "030313", "frame format"),
        ("a009" + "0202030313", "last of them odd"),
        ("a00b" + "02020202030313", "last of them odd"),
        ("a007" + "020203", "last of them odd"),
        ("a007" + "020202", "last of them odd"),
        ("a008" + "03031300", "header check"),
        ("a00a" + "030313" + "0000" + "aa", "header check"),
    ],
)
def test_frames_with_a_right_check_and_wrong_inside_are_refused(body, message):
    with pytest.raises(ValueError, match=message):
        unpack(with_check(bytes.fromhex(body)))


def test_too_much_information_is_refused_both_ways():
    head = (0xA000 | 7 + 2 + 2031).to_bytes(2, "big") + b"\x03\x03\x10"
    data = with_check(head + hdlc.fcs16(head).to_bytes(2, "little") + bytes(2031))
    with pytest.raises(ValueError, match="2030"):
        unpack(data)
    with pytest.raises(ValueError, match="2030"):
        pack(Frame(Address(1), Address(1), INFORMATION, False, bytes(2031)))
    longest = pack(Frame(Address(1, 1, 4), Address(1, 1, 4), INFORMATION, False, bytes(2030)))
    assert FrameReader().feed(longest) == [longest]


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=40))
def test_random_bytes_are_refused_or_read(data):
    for candidate in (data, with_check(data), with_check((0xA002 + len(data) & 0xA7FF).to_bytes(2, "big") + data)):
        try:
            frame = unpack(candidate)
        except ValueError:
            continue
        assert pack(frame) == candidate


@settings(max_examples=40, deadline=None)
@given(st.binary(min_size=1, max_size=700), st.integers(32, 200), st.integers(0, 7), st.booleans(), st.integers(1, 7))
def test_cut_and_joined_apdus_return(apdu, max_info, send, response, window):
    cut = hdlc.frames(apdu, client=16, server=1, response=response, send=send, max_info_bytes=max_info, window=window)
    assert hdlc.join(cut) == apdu
    assert [unpack(frame).is_final for frame in cut[window - 1 :: window]] == [True] * (len(cut) // window)
    assert unpack(cut[-1]).is_final
    if len(cut) > 1:
        for wrong in (cut[:-1], cut[1:], cut[::-1], [cut[0], *cut]):
            with pytest.raises(ValueError):
                hdlc.join(wrong)


def test_impossible_frames_are_refused():
    for wrong in ({"max_info_bytes": 4000}, {"window": 8}):
        with pytest.raises(ValueError, match="max_info_bytes"):
            hdlc.frames(b"x", client=1, server=1, response=True, **wrong)
    with pytest.raises(ValueError, match="127"):
        hdlc.frames(b"x", client=200, server=1, response=True)
    with pytest.raises(ValueError, match="control"):
        pack(Frame(Address(1), Address(1), 256, False, b""))
    with pytest.raises(ValueError, match="missing"):
        hdlc.join([])
    with pytest.raises(ValueError, match="LLC"):
        hdlc.join([pack(Frame(Address(1), Address(1), INFORMATION, False, b"abcd"))])


def test_only_frames_with_numbers_tell_them():
    snrm = unpack(hdlc.connect(1, 1)[0])
    with pytest.raises(ValueError, match="information frame"):
        _ = snrm.sequence
    with pytest.raises(ValueError, match="acknowledges nothing"):
        _ = snrm.acknowledged
    ready = unpack(hdlc.acknowledge(source=1, destination=1, receive=11))
    assert (ready.acknowledged, ready.is_supervisory, ready.is_busy, ready.is_final) == (3, True, False, True)


SIZES = st.lists(st.integers(1, 60), min_size=1, max_size=6)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.binary(max_size=20), FRAMES), max_size=4), SIZES)
def test_frames_are_found_between_rubbish_however_it_is_chopped(said, sizes):
    """Rubbish that does not start a frame (no flag in it) costs nothing."""
    sent = [pack(frame) for _, frame in said]
    stream = b"".join(rubbish.replace(b"\x7e", b"") + one for (rubbish, _), one in zip(said, sent, strict=True))
    reader = FrameReader()
    assert [found for piece in chopped(stream, sizes) for found in reader.feed(piece)] == sent


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=30), FRAMES.map(pack)), max_size=6).map(b"".join), SIZES, st.data())
def test_any_stream_is_read_alike_however_it_is_chopped(stream, sizes, data):
    if stream:
        changed = bytearray(stream)
        changed[data.draw(st.integers(0, len(stream) - 1))] = 0x7E
        stream = bytes(changed)
    whole, chop = FrameReader(), FrameReader()
    found = whole.feed(stream)
    assert [one for piece in chopped(stream, sizes) for one in chop.feed(piece)] == found
    assert chop.n_kept_bytes == whole.n_kept_bytes <= 2048
    for one in found:
        assert hdlc.fcs16(one[1:-1]) ^ 0xFFFF == 0xF0B8


@settings(max_examples=60, deadline=None)
@given(st.lists(FRAMES, min_size=1, max_size=5))
def test_one_flag_may_stand_between_two_frames(frames):
    sent = [pack(frame) for frame in frames]
    assert FrameReader().feed(sent[0] + b"".join(one[1:] for one in sent[1:])) == sent
    assert FrameReader().feed(b"\x7e".join(sent) + b"\x7e\x7e") == sent


def test_a_good_frame_behind_half_a_frame_is_found():
    first, second = (hdlc.frames(bytes([i]) * 40, client=1, server=1, response=True)[0] for i in (1, 2))
    for cut in range(len(first) - 1):
        reader = FrameReader()
        assert (reader.feed(first[:cut] + second) + reader.feed(second))[:1] == [second]
        reader = FrameReader()
        assert reader.feed(first[:cut]) == []
        reader.reset()
        assert reader.feed(second) == [second]
    assert FrameReader().feed(first[:-1] + second) == [first, second]


def test_a_flood_keeps_no_more_than_one_frame():
    reader = FrameReader()
    head = b"\xa7\xff\x03\x03\x10"
    start = b"\x7e" + head + hdlc.fcs16(head).to_bytes(2, "little")
    for _ in range(50):
        assert reader.feed(start * 500) == []
        assert reader.n_kept_bytes <= 2048
    assert reader.feed(bytes(100_000)) == []
    assert reader.n_kept_bytes == 0
