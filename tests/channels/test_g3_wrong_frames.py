"""Damaged G3-PLC frames that pass their check sequence by luck: refused field by field, never believed, never fatal."""

import itertools

import numpy as np
import pytest
from amiplan.channels.mac.g3 import modem as modem_file
from amiplan.channels.mac.g3.csma import CsmaSettings
from amiplan.channels.mac.g3.join_network import standing_network
from amiplan.channels.mac.g3.mesh import fragments, read_header
from amiplan.channels.mac.g3.segment import (
    COMMAND,
    HEADER_BYTES,
    LAST,
    MAP_RESPONSE,
    REQUEST_MAP,
    Segment,
    read_segment,
    write_segment,
)
from amiplan.channels.mac.plc.frames import checked, with_fcs
from amiplan.channels.routing.link_cost import CostWeights
from amiplan.channels.routing.loadng_links import LinkCosts
from g3_cells import TECH, alike, ask, balanced, fewest_hops, made_cell, made_links
from hypothesis import given, settings
from hypothesis import strategies as st

N_MODES, OVERHEAD = len(TECH.table), TECH.mac.mac_overhead_bytes
COSTS = LinkCosts(CostWeights(), np.zeros(N_MODES, bool), np.full(N_MODES, 3), np.ones(N_MODES))
GOOD = Segment(LAST, 0, 7, 1, 0, b"\x01payload")
RESPONSE = Segment(LAST | COMMAND, 0, 7, 1, 0, bytes((MAP_RESPONSE, 2, 99)))


def read(segment, n_members=3):
    filling = 0 if segment.flags & COMMAND else OVERHEAD - HEADER_BYTES - 2
    return read_segment(checked(write_segment(segment, filling)), OVERHEAD, n_members, N_MODES)


@given(
    st.sampled_from([0, LAST, REQUEST_MAP, REQUEST_MAP | LAST]), st.integers(0, 255), st.integers(0, 255),
    st.integers(0, 0xFFFF), st.integers(0, 99), st.binary(min_size=1, max_size=300),
)  # fmt: skip
def test_possible_segments_are_read_as_written(flags, number, sequence, receiver, sender, data):
    segment = Segment(flags, number, sequence, receiver, sender, data)
    assert read(segment, 100) == (segment if sender != receiver else None)


@pytest.mark.parametrize(
    "wrong",
    [
        GOOD._replace(flags=LAST | 0x01), GOOD._replace(sender=3), GOOD._replace(sender=0xFFFF),
        GOOD._replace(sender=1), GOOD._replace(data=b""), RESPONSE._replace(flags=COMMAND),
        RESPONSE._replace(flags=LAST | COMMAND | REQUEST_MAP), RESPONSE._replace(number=1),
        RESPONSE._replace(data=RESPONSE.data[:2]), RESPONSE._replace(data=bytes((MAP_RESPONSE + 1, 2, 99))),
        RESPONSE._replace(data=bytes((MAP_RESPONSE, N_MODES, 99))),
    ],
)  # fmt: skip
def test_impossible_segments_are_none(wrong):
    assert read(GOOD) == GOOD
    assert read(RESPONSE) == RESPONSE
    assert read(wrong) is None


def test_a_fragment_too_short_for_its_headers_or_without_hops_is_none():
    mac = TECH.mac
    (single,) = fragments(b"x", 0, 1, 5, 3, mac)
    cut = fragments(bytes(1000), 0, 1, 5, 3, mac)[-1]
    assert read_header(single[:-1], mac) is None
    assert read_header(single[:1], mac) is None
    assert read_header(cut[: mac.mesh_header_bytes + mac.fragment_header_bytes], mac) is None
    assert read_header(bytes((cut[0] & 0x0F,)) + cut[1:], mac) is None


def one_wrong_frame(monkeypatch, change):
    """A message from meter to concentrator of which the first frame comes with changed fields and a right check."""
    env, cell = made_cell(1, alike([(0, 1)]))
    first = iter([1.0])
    monkeypatch.setattr(cell._line, "payload_error", lambda *frame: next(first, 0.0))
    monkeypatch.setattr(modem_file, "damaged", lambda octets, rng: with_fcs(change(octets[:-2])))
    begun, begin = [], cell._line.medium.begin
    cell._line.medium.begin = lambda sender, *times: begun.append(sender) or begin(sender, *times)
    assert ask(env, cell, 0, 1, b"answer") == b"answer"
    balanced(cell.counters)
    return cell.counters, begun


def test_a_frame_for_somebody_else_is_not_answered_and_comes_again(monkeypatch):
    counters, begun = one_wrong_frame(monkeypatch, lambda data: data[:3] + b"\x02\x16" + data[5:])
    assert (counters["fields_refused"], counters["frames_lost"], counters["retries"]) == (1, 1, 1)
    assert counters["crc_refused"] == 0
    assert begun[:3] == [0, 0, 1]


def test_a_frame_from_nobody_is_refused_like_a_damaged_one(monkeypatch):
    counters, begun = one_wrong_frame(monkeypatch, lambda data: data[:5] + b"\x02\x16" + data[7:])
    assert (counters["fields_refused"], counters["frames_lost"], counters["retries"]) == (1, 1, 1)
    assert begun[:3] == [0, 1, 0]


@pytest.mark.parametrize("payload", [b"\x00", b"\x02\x02", b"\x02\x01\x00", b"\x03\x09", b"\x01", b"\x02what"])
def test_payloads_that_mean_nothing_are_counted_and_left(payload):
    _, cell = network_cell()
    cell._received(0, 1, payload, 99)
    assert cell.counters["fields_refused"] == 1


def test_a_fragment_that_its_damaged_header_leads_to_a_stranger_does_not_arrive_there():
    env, cell = network_cell()
    sent = cell.send(3, 0, b"for meter 0")
    while not cell._messages:
        env.step()
    ((source, number),) = cell._messages
    (stray,) = fragments(b"for meter 0", source, 2, number, 3, TECH.mac)
    (nowhere,) = fragments(b"for meter 0", source, 99, number, 3, TECH.mac)
    cell._received(2, 3, stray, 99)
    cell._received(2, 3, nowhere, 99)
    assert env.run(sent) == b"for meter 0"
    assert cell.counters["fields_refused"] == 2
    assert env.now > cell._line.airtime_s(0, 60)


def network_cell(margin_db=30.0, seed=1):
    """Three meters, of which meter 1 reaches the concentrator (node 3) over one of the others."""
    links = alike([(0, 3), (0, 1), (2, 3), (1, 2)], margin_db)
    paths, quality = made_links(3, links)
    routes = fewest_hops(paths, quality)

    def routing(cell):
        return standing_network(cell, paths, routes, COSTS, TECH.loadng, TECH.joining, 0.0)

    return made_cell(3, links, csma=CsmaSettings(), routes=routes, routing=routing, seed=seed, maps_known=False)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 255)), min_size=1, max_size=12), st.integers(0, 2**16))
def test_no_wrong_byte_behind_a_right_check_ends_the_day_or_arrives(changes, seed):
    """Every damaged frame passes its check with one byte changed, while meters are asked, fail and join again."""
    order = itertools.cycle(changes)

    def lucky(octets, rng):
        data = bytearray(octets[:-2])
        place, flip = next(order)
        data[place % len(data)] ^= flip
        return with_fcs(bytes(data))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(modem_file, "damaged", lucky)
        env, cell = network_cell(0.3, seed)
        texts = [bytes((turn,)) * 300 for turn in range(4)]
        sent = [cell.send(*ends, text) for ends, text in zip([(3, 1), (1, 3), (2, 3), (3, 0)], texts, strict=True)]
        cell.cold_start([2])
        while env.now < 60.0:
            env.run(until=env.now + 1.0)
            balanced(cell.counters)
    for process, text in zip(sent, texts, strict=True):
        assert not process.triggered or process.value in (None, text)
    assert cell.counters["crc_refused"] == 0
