"""Templates of whole fleets: the same bytes as the codec makes value by value."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from amiplan.meters import clock, fleet_data
from amiplan.meters.dlms import apdu, axdr, blocks
from amiplan.meters.dlms.axdr import Tag, Value
from amiplan.meters.dlms.buffers import encode_rows
from amiplan.meters.dlms.security import Channel
from amiplan.meters.fleet import answer_bytes, answer_lengths, stream
from amiplan.meters.fleet_check import agreed
from amiplan.meters.fleet_data import TEMPLATES, Readings, answer_data, chunks, pushed_parts
from amiplan.meters.identity import identities_of, keys_of, title_of
from amiplan.meters.load import KIND_NAMES
from amiplan.meters.settings import ENCODINGS, ServiceSettings
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

HEAD_END = b"AMPHEAD0"
PLAIN = ServiceSettings(security="none", max_pdu_bytes=65535)
FORMS = [
    replace(PLAIN, encoding=encoding, profile_values=values, profile_status=status, profile_timestamps=timed)
    for encoding in ENCODINGS
    for values in ("registers", "energy")
    for status in (False, True)
    for timed in (False, True)
]


def readings_of(settings, n=5, seed=1):
    """Meters that stand still, creep, run, jump far, and roll over."""
    rng = np.random.default_rng(seed)
    shape = (n, settings.n_intervals, settings.profile_channels)
    steps = rng.integers(0, 600, shape) * rng.integers(0, 2, shape)
    steps[0] = 0
    steps[3] *= 1000
    totals = (rng.integers(0, 2**32, (n, 1, shape[2])) + np.cumsum(steps, axis=1)) % 2**32
    values = totals if settings.profile_values == "registers" else steps
    status = rng.integers(0, 3, shape[:2]).astype(np.uint8)
    return Readings(3, totals[:, -1, 0].astype(np.uint32), values.astype(np.uint32), status)


def codec_data(readings, meter, settings):
    """The buffer of one meter by the codec."""
    wide = settings.profile_values == "registers"
    tags = [Tag.U32 if wide or most > 0xFFFF else Tag.U16 for most in readings.profile[meter].max(axis=0)]
    rows = []
    for row, end in enumerate(clock.interval_end_s(readings.day, settings.n_intervals)):
        time = [axdr.octets(clock.octets_of(int(end)))] if settings.profile_timestamps else []
        status = [axdr.u8(int(readings.status[meter, row]))] if settings.profile_status else []
        rows.append(
            [
                *time,
                *status,
                *(Value(tag, int(one)) for tag, one in zip(tags, readings.profile[meter, row], strict=True)),
            ]
        )
    return axdr.encode(encode_rows(rows, settings.encoding, settings.profile_interval_min * 60))


@pytest.mark.parametrize(
    "settings", FORMS, ids=lambda s: f"{s.encoding}-{s.profile_values}-{s.profile_status:d}{s.profile_timestamps:d}"
)
def test_every_form_of_a_profile_equals_the_codec(settings):
    readings = readings_of(settings)
    data, length = answer_data("profile", readings, settings)
    for meter in range(len(length)):
        assert data[meter, : length[meter]].tobytes() == codec_data(readings, meter, settings)


@limits(max_examples=30, deadline=None)
@given(
    st.sampled_from(ENCODINGS),
    st.sampled_from([60, 240, 1440]),
    st.integers(1, 4),
    st.lists(st.integers(0, 2**32 - 1), min_size=96, max_size=96),
)
def test_any_values_equal_the_codec(encoding, minutes, channels, numbers):
    settings = replace(PLAIN, encoding=encoding, profile_interval_min=minutes, profile_channels=channels)
    values = np.resize(np.array(numbers, np.uint32), (1, settings.n_intervals, channels))
    readings = Readings(0, values[:, -1, 0], values)
    data, length = answer_data("profile", readings, settings)
    assert data[0, : length[0]].tobytes() == codec_data(readings, 0, settings)


def said_by_codec(readings, meter, settings, service="profile"):
    """The messages of one meter by codec and channel, plain value to ciphered APDU."""
    if service == "register":
        value = axdr.u32(int(readings.register_wh[meter]))
    else:
        value = axdr.decode(codec_data(readings, meter, settings))
    channel = Channel(
        keys_of(7 + meter, 5, settings.suite), title_of(7 + meter, 5), HEAD_END, protection=settings.protection_bits
    )

    def seal(plain):
        if not settings.ciphered:
            return plain
        return channel.seal_general(plain) if settings.ciphering == "general_glo" else channel.seal(plain)

    def length(plain):
        before = channel.next_counter
        n_bytes = len(seal(plain))
        channel.next_counter = before
        return n_bytes

    whole = apdu.encode(apdu.GetResponse(value, 0xC1))
    if settings.block_transfer == "general":
        sealed, limit, window = seal(whole), settings.max_pdu_bytes, settings.general_window
        return [sealed] if len(sealed) <= limit else [blocks.encode(one) for one in blocks.cut(sealed, limit, window)]
    if length(whole) <= settings.max_pdu_bytes:
        return [seal(whole)]
    data = axdr.encode(value)
    for n_block in range(settings.max_pdu_bytes, 0, -1):
        if length(apdu.encode(apdu.GetResponseBlock(False, 1, bytes(n_block), 0xC1))) <= settings.max_pdu_bytes:
            break
    pieces = apdu.split(data, n_block)
    said = [apdu.GetResponseBlock(n == len(pieces), n, piece, 0xC1) for n, piece in enumerate(pieces, 1)]
    return [seal(apdu.encode(one)) for one in said]


TWO = identities_of(np.zeros(2, np.uint64))
SEALED = [
    ServiceSettings(),
    ServiceSettings(encoding="null_unchanged", max_pdu_bytes=512),
    ServiceSettings(encoding="delta", max_pdu_bytes=200, ciphering="general_glo"),
    ServiceSettings(security="suite_1", protection="authenticated", max_pdu_bytes=128),
    ServiceSettings(security="suite_2", encoding="null_timestamps", max_pdu_bytes=65535),
    ServiceSettings(protection="encrypted", encoding="compact_array", max_pdu_bytes=300),
    ServiceSettings(block_transfer="general", general_window=3, max_pdu_bytes=300, encoding="delta"),
    ServiceSettings(security="none", encoding="delta", profile_values="energy", profile_timestamps=False),
]


@pytest.mark.parametrize("service", ["register", "profile"])
@pytest.mark.parametrize(
    "settings", SEALED, ids=lambda s: f"{s.security}-{s.protection}-{s.encoding}-{s.max_pdu_bytes}"
)
def test_messages_equal_codec_and_channel(settings, service):
    readings = readings_of(settings)
    identities = identities_of(np.arange(7, 12, dtype=np.uint64), 5, settings.suite) if settings.ciphered else None
    answers = answer_bytes(service, readings, settings, identities)
    for meter in range(5):
        assert answers.of(meter) == said_by_codec(readings, meter, settings, service)
    lengths = answer_lengths(service, readings, settings)
    assert np.array_equal(lengths.bytes, np.diff(answers.start))
    assert np.array_equal(lengths.meter_start, answers.meter_start)


def test_known_lengths_of_the_day_profile():
    """Bytes measured with other implementations: 96 rows of a time and four registers, plain and ciphered."""
    readings = readings_of(PLAIN)
    for encoding, plain, ciphered in (
        ("full", 3462, 3483),
        ("null_timestamps", 2227, 2248),
        ("compact_array", 2799, 2820),
    ):
        settings = replace(PLAIN, encoding=encoding)
        assert set(answer_lengths("profile", readings, settings).bytes) == {plain}
        assert set(answer_lengths("profile", readings, replace(settings, security="suite_0")).bytes) == {ciphered}
    rising = np.add.outer(np.arange(96), np.zeros(4)).astype(np.uint32)[None]
    for n_changes, plain in ((0, 1847), (4, 1863)):
        rising[0, :, 3] = np.minimum(np.arange(96), n_changes)
        one = Readings(0, readings.register_wh[:1], rising.copy())
        assert answer_lengths("profile", one, replace(PLAIN, encoding="null_unchanged")).bytes.tolist() == [plain]
        assert answer_lengths("profile", one, replace(PLAIN, encoding="delta")).bytes.tolist() == [1087]
    energy = replace(PLAIN, profile_values="energy")
    for timed, encoding, plain in (
        (True, "full", 2694),
        (True, "null_timestamps", 1459),
        (False, "compact_array", 782),
    ):
        settings = replace(energy, encoding=encoding, profile_timestamps=timed)
        assert answer_lengths("profile", readings_of(settings), settings).bytes[0] == plain


@pytest.mark.parametrize(
    "settings",
    [
        PLAIN,
        replace(PLAIN, profile_status=True, billing_registers=5, event_rows=200),
        replace(PLAIN, profile_interval_min=1440, profile_values="energy", event_rows=1),
        ServiceSettings(max_pdu_bytes=128, security="suite_2", event_rows=37),
        ServiceSettings(max_pdu_bytes=150, block_transfer="general", ciphering="general_glo"),
    ],
)
@pytest.mark.parametrize("service", ["daily_billing", "event_log"])
def test_billing_rows_and_event_logs_equal_those_of_real_meters(settings, service):
    """Events of the 30 days before 5 January lie in two years."""
    keys, kinds, day = np.arange(7, 12, dtype=np.uint64), np.array(KIND_NAMES)[np.arange(5)], 4
    one = agreed(keys, kinds, day, settings, 9, services=(service,))
    assert one.n_answers == 5
    assert one.n_pushes == (0 if service == "daily_billing" and settings.max_pdu_bytes == 128 else 5)


def test_streams_are_the_answers_of_their_chunks():
    keys, kinds = np.arange(5, dtype=np.uint64), np.array(["house"] * 5)
    for service in TEMPLATES:
        readings = fleet_data.readings_of(keys, kinds, 0, ServiceSettings(), 2, service=service)
        whole = answer_bytes(service, readings, ServiceSettings(), identities_of(keys, 2))
        parts = list(stream(keys, kinds, 0, ServiceSettings(), 2, service=service, chunk_meters=2))
        assert b"".join(part.content.tobytes() for part in parts) == whole.content.tobytes()


def test_chunks_cover_every_meter_once_in_order():
    assert [list(range(10))[one] for one in chunks(10, 4)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert list(chunks(0)) == []
    with pytest.raises(ValueError, match="at least one meter"):
        chunks(3, 0)


def test_identities_are_those_of_single_meters():
    for suite in (0, 1, 2):
        many = identities_of(np.array([3, 2**63], np.uint64), 9, suite)
        for row, key in enumerate((3, 2**63)):
            keys = keys_of(key, 9, suite)
            assert many.titles[row].tobytes() == title_of(key, 9)
            assert many.encryption[row].tobytes() == keys.encryption
            assert many[row : row + 1].authentication.tobytes() == keys.authentication


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        (lambda r: answer_data("weather", r, PLAIN), "no template"),
        (lambda r: answer_data("daily_billing", r, PLAIN), "hold no daily_billing"),
        (lambda r: answer_data("event_log", r, PLAIN), "hold no event_log"),
        (lambda r: answer_data("profile", r, replace(PLAIN, profile_interval_min=60)), "settings ask for"),
        (lambda r: answer_bytes("profile", r, ServiceSettings()), "identities"),
        (lambda r: answer_bytes("register", r, ServiceSettings(), TWO), "these 5 meters"),
        (lambda r: Readings(0, r.register_wh, r.profile.astype(np.int64)), "uint32"),
        (lambda r: Readings(0, r.register_wh, r.profile, np.zeros((2, 2))), "one byte a row"),
        (lambda r: answer_lengths("profile", r, ServiceSettings(max_pdu_bytes=128, protection="shout")), "protection"),
    ],
)  # fmt: skip
def test_senseless_requests_are_refused(wrong, word):
    with pytest.raises(ValueError, match=word):
        wrong(readings_of(PLAIN))


@pytest.mark.parametrize("encoding", ["null_timestamps", "null_unchanged", "delta"])
def test_parts_of_a_push_are_as_long_as_the_limit_allows(encoding):
    settings = replace(PLAIN, encoding=encoding, profile_status=True)
    readings = readings_of(settings)
    parts, n_parts = pushed_parts(readings, settings, 300)
    assert n_parts.sum() == parts.size
    assert parts.max() <= 300
    assert np.delete(parts, np.cumsum(n_parts) - 1).min() > 300 - 2 - 14 - 2 - 20
    whole, _ = pushed_parts(readings, settings, 65535)
    assert np.array_equal(whole, answer_data("profile", readings, settings)[1])
    with pytest.raises(ValueError, match="too short for one row"):
        pushed_parts(readings, settings, 20)
