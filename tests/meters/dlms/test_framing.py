"""What both framings add to an APDU, byte for byte: the counts that the legs of a study are made of."""

import pytest
from amiplan.meters.dlms import hdlc, wrapper

APDU = (28, 32, 64, 82, 83, 103, 387, 516, 651, 803, 1108, 1480, 1884, 2043, 2248, 2715, 2820, 3675)
LINE = (42, 46, 78, 96, 97, 117, 434, 574, 720, 883, 1210, 1615, 2052, 2222, 2449, 2960, 3076, 3997)


@pytest.mark.parametrize(
    ("max_info", "n_line", "n_frames", "n_ready"),
    [(128, 3794, 28, 243), (256, 3640, 14, 117), (512, 3563, 7, 54), (1024, 3530, 4, 27), (2030, 3508, 2, 9)],
)
def test_line_bytes_of_the_ciphered_profile(max_info, n_line, n_frames, n_ready):
    """3 483 B of ciphered APDU, as cut by gurux-dlms 1.0.203."""
    cut = hdlc.frames(bytes(3483), client=1, server=1, response=True, max_info_bytes=max_info)
    ready = [hdlc.acknowledge(source=1, destination=1, receive=i) for i in range(1, len(cut))]
    assert (sum(map(len, cut)), len(cut), sum(map(len, ready))) == (n_line, n_frames, n_ready)


@pytest.mark.parametrize(
    ("n_apdu", "n_line"),
    list(zip(APDU, LINE, strict=True)),
)
def test_line_bytes_at_128(n_apdu, n_line):
    """Requests and responses of the message budget, as cut by gurux-dlms 1.0.203."""
    for response in (False, True):
        cut = hdlc.frames(bytes(n_apdu), client=1, server=1, response=response)
        assert sum(map(len, cut)) == n_line


@pytest.mark.parametrize(("n_bytes", "n_more"), [(1, 0), (2, 1), (4, 3)])
def test_longer_addresses_cost_their_bytes(n_bytes, n_more):
    server = hdlc.Address(1, 0, n_bytes)
    cut = hdlc.frames(bytes(3483), client=1, server=server, response=True)
    assert sum(map(len, cut)) == 3794 + 28 * n_more
    assert [len(frame) for frame in hdlc.connect(1, server) + hdlc.disconnect(1, server)] == [
        n_line + n_more for n_line in (9, 34, 9, 9)
    ]


def test_link_commands_have_their_lengths():
    assert [len(f) for f in hdlc.connect(1, 1) + hdlc.disconnect(1, 1)] == [9, 34, 9, 9]
    assert [len(f) for f in hdlc.connect(1, 1, 512, 3)] == [34, 34]
    assert len(hdlc.acknowledge(source=1, destination=1, receive=3)) == 9


def test_a_wrapper_is_eight_bytes():
    assert len(wrapper.pack(1, 1, bytes(3483))) == 3491
