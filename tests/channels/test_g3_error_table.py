"""Tables of error ratios that the packet tier asks frame by frame."""

from dataclasses import replace

import numpy as np
import pytest
from amiplan.channels.mac.g3.error_table import ErrorTable
from amiplan.channels.phy.g3_ofdm import largest_psdu_bytes, payload_error_ratio
from amiplan.channels.powerline.g3_parameters import G3Parameters
from hypothesis import given
from hypothesis import strategies as st

BANDS = {
    "cenelec-a": G3Parameters(),
    "fcc": replace(G3Parameters(), band="fcc", allow_band="test", two_rs_blocks=True),
}
ANYWHERE_DB = np.concatenate([[-np.inf, np.inf], np.random.default_rng(1).uniform(-45.0, 65.0, 5000)])


@pytest.mark.parametrize("band", BANDS)
@pytest.mark.parametrize("share", [0.1, 1.0])
def test_the_table_of_every_mode_is_within_a_thousandth_of_its_curves(band, share):
    tech = BANDS[band]
    for number, mode in enumerate(tech.table):
        size = np.array([max(1, int(share * largest_psdu_bytes(mode)))])

        def ratio(snr_db, number=number, size=size):
            return payload_error_ratio(snr_db, np.array([number]), size, tech.implementation_loss_db, tech.table)

        np.testing.assert_allclose(ErrorTable(ratio).of(ANYWHERE_DB), ratio(ANYWHERE_DB), atol=1e-3)


@pytest.mark.parametrize("band", BANDS)
def test_the_table_of_headers_is_within_a_thousandth_of_its_curve(band):
    ratio = BANDS[band].mac.header_error_ratio
    np.testing.assert_allclose(ErrorTable(ratio).of(ANYWHERE_DB), ratio(ANYWHERE_DB), atol=1e-3)


@given(st.floats(allow_nan=False))
def test_one_snr_and_many_get_the_same_answer(snr_db):
    table = ErrorTable(BANDS["cenelec-a"].mac.header_error_ratio)
    assert table.at(snr_db) == pytest.approx(float(table.of(np.array([snr_db]))[0]), abs=1e-12)
    assert 0 <= table.at(snr_db) <= 1
