"""Properties of the path-loss functions, and the guards made to refuse."""

import numpy as np
import pytest
from amiplan.channels.draws import Draws
from amiplan.channels.pathloss import hata, p526, p1411, p2108, p2109, tr45820
from amiplan.channels.pathloss.enclosure import enclosure_loss_db
from amiplan.channels.pathloss.free_space import free_space_loss_db
from amiplan.channels.pathloss.macro import macro_loss
from amiplan.channels.pathloss.shadowing import shadowing_db
from amiplan.channels.scenario import WallSettings
from hypothesis import given, settings
from hypothesis import strategies as st

F = 868e6
small = settings(max_examples=30, deadline=None)
metres = st.floats(5.0, 20_000.0)
codes = st.integers(0, 5)
masts = st.floats(3.0, 150.0)


def macro_db(distance, mast, clutter=1, terrain=None, meter=1.5):
    distance = np.atleast_1d(np.asarray(distance, float))
    n = distance.size
    ground = np.zeros((n, 2), np.float32) if terrain is None else terrain
    out = macro_loss(
        ground,
        distance,
        frequency_hz=F,
        meter_height_m=np.full(n, meter),
        meter_clutter=np.full(n, clutter, np.int8),
        site_height_m=np.broadcast_to(np.asarray(mast, float), (n,)),
        site_clutter=np.full(n, clutter, np.int8),
    )
    return out.median_db + out.terrain_db


@small
@given(metres, st.floats(1.0, 5_000.0), masts, codes)
def test_macro_loss_grows_with_distance(distance, further, mast, clutter):
    near, far = macro_db([distance, distance + further], mast, clutter)
    assert far >= near - 1e-9


@small
@given(metres, masts, st.floats(0.5, 50.0), codes)
def test_a_higher_mast_never_loses_more_on_flat_ground(distance, mast, higher, clutter):
    assert macro_db(distance, mast + higher, clutter)[0] <= macro_db(distance, mast, clutter)[0] + 1e-9


@small
@given(metres, masts, codes)
def test_macro_loss_is_never_below_free_space(distance, mast, clutter):
    assert macro_db(distance, mast, clutter)[0] >= free_space_loss_db(distance, F) - 1e-9


@small
@given(st.floats(5.0, 3000.0), st.floats(1.0, 500.0), st.floats(0.01, 0.99))
def test_near_street_grows_with_distance_and_share(distance, further, share):
    got = p1411.near_street_loss_db([distance, distance + further], frequency_hz=F, location_ratio=share)
    assert got[1] >= got[0] - 1e-9
    worse = p1411.near_street_loss_db(distance, frequency_hz=F, location_ratio=min(share + 0.005, 0.995))
    assert worse >= got[0] - 1e-9


@small
@given(st.integers(0, 2**32 - 1))
def test_profiles_shuffle_with_their_rows_and_read_the_same_backwards(seed):
    rng = np.random.default_rng(seed)
    ground = rng.normal(0, 15, (20, 17)).astype(np.float32)
    distance, a, b = rng.uniform(200, 5000, 20), rng.uniform(1, 20, 20), rng.uniform(1, 20, 20)
    order = rng.permutation(20)

    def loss(g, d, start, end):
        return p526.bullington_loss_db(g, d, start_height_m=start, end_height_m=end, frequency_hz=F)

    whole = loss(ground, distance, a, b)
    np.testing.assert_allclose(loss(ground[order], distance[order], a[order], b[order]), whole[order], atol=1e-9)
    # The kernel reads float32 heights and computes in float64; 1.5 million such profiles differed by at most 4e-14 dB.
    np.testing.assert_allclose(loss(ground[:, ::-1], distance, b, a), whole, rtol=0.0, atol=1e-8)
    assert (whole >= 0.0).all()


def bullington_in_plain_numpy_db(ground, distance, start, end):
    """P.526-15 section 4.5.1 as it is printed, over all samples of one profile at once."""
    x = np.linspace(0.0, distance, ground.size)[1:-1]
    wavelength = 299_792_458.0 / F
    bulge = x * (distance - x) / (2.0 * 4.0 / 3.0 * 6_371_000.0)
    foot, top = float(ground[0]) + start, float(ground[-1]) + end
    h = ground[1:-1].astype(float) + bulge
    slope, sight = (top - foot) / distance, foot + (top - foot) * x / distance
    rise_start, rise_end = ((h - foot) / x).max(), ((h - top) / (distance - x)).max()
    if rise_start < slope:
        nu = ((h - sight) * np.sqrt(2.0 * distance / (wavelength * x * (distance - x)))).max()
    else:
        meet = (top - foot + rise_end * distance) / (rise_start + rise_end)
        edge = foot + rise_start * meet - (foot * (distance - meet) + top * meet) / distance
        nu = edge * np.sqrt(2.0 * distance / (wavelength * meet * (distance - meet)))
    edge_db = float(p526.knife_edge_loss_db(nu))
    return edge_db + (1.0 - np.exp(-edge_db / 6.0)) * (10.0 + 0.02 * distance / 1e3)


def test_the_compiled_profile_equals_the_plain_one():
    rng = np.random.default_rng(8)
    n, samples = 300, 33
    ground = (300.0 + np.cumsum(rng.normal(0, 2.5, (n, samples)), axis=1)).astype(np.float32)
    distance, a, b = rng.uniform(100, 9000, n), rng.uniform(0.5, 5, n), rng.uniform(1, 40, n)
    heights = {"start_height_m": a, "end_height_m": b, "frequency_hz": F}
    plain = [bullington_in_plain_numpy_db(*row) for row in zip(ground, distance, a, b, strict=True)]
    whole = p526.bullington_loss_db(ground, distance, **heights)
    np.testing.assert_allclose(whole, plain, atol=1e-8)
    smooth = p526.bullington_loss_db(np.zeros_like(ground), distance, **heights)
    expected = [bullington_in_plain_numpy_db(np.zeros(samples), *row) for row in zip(distance, a, b, strict=True)]
    np.testing.assert_allclose(smooth, expected, atol=1e-8)
    excess = p526.terrain_excess_db(ground, distance, **heights)
    np.testing.assert_allclose(excess, np.maximum(whole - smooth, 0.0), atol=1e-8)


def test_a_hill_costs_and_a_hilltop_gains():
    hill = np.zeros((1, 33), np.float32)
    hill[0, 16] = 60.0
    top = np.linspace(0.0, 1.0, 33, dtype=np.float32)[None, :] ** 4 * 60.0
    flat = np.zeros((1, 33), np.float32)
    loss = [float(macro_db(3000.0, 12.0, terrain=ground)[0]) for ground in (flat, hill, top)]
    assert loss[1] > loss[0] + 15.0
    assert loss[2] < loss[0]


def test_environment_codes_vectorise():
    got = p1411.near_street_loss_db(300.0, frequency_hz=F, environment=np.array([0, 1, 2, 4]))
    names = [p1411.near_street_loss_db(300.0, frequency_hz=F, environment=n) for n in ("suburban", "urban", "dense")]
    np.testing.assert_allclose(got, [names[0], names[0], names[1], names[2]])
    assert p1411.in_range([100.0, 4000.0], frequency_hz=F).tolist() == [True, False]


REFUSED = {
    "distance": lambda: free_space_loss_db([1.0, 0.0], F),
    "frequency": lambda: free_space_loss_db(1.0, -1.0),
    "nan": lambda: free_space_loss_db(np.nan, F),
    "height": lambda: hata.hata_loss_db(1e3, frequency_hz=F, site_height_m=0.0, meter_height_m=1, environment="open"),
    "environment": lambda: hata.environment_code("rural"),
    "clutter code": lambda: hata.environment_code(np.array([6])),
    "float code": lambda: hata.environment_code(np.array([1.0])),
    "street": lambda: p1411.near_street_loss_db(10.0, frequency_hz=F, environment="village"),
    "place": lambda: p1411.below_roof_loss_db(10.0, frequency_hz=F, place="attic"),
    "share": lambda: p1411.near_street_loss_db(10.0, frequency_hz=F, location_ratio=1.0),
    "probability": lambda: p2109.building_entry_loss_db(0.0, frequency_hz=F),
    "class": lambda: p2109.building_entry_loss_db(0.5, frequency_hz=F, building_class="igloo"),
    "antenna": lambda: p2108.height_gain_loss_db(-1.0, clutter_code=0, frequency_hz=F),
    "profile shape": lambda: p526.bullington_loss_db(
        np.zeros((2, 5)), [1.0], start_height_m=1, end_height_m=1, frequency_hz=F
    ),
    "void": lambda: p526.terrain_excess_db(
        np.full((1, 5), np.nan), [9.0], start_height_m=1, end_height_m=1, frequency_hz=F
    ),
    "uniforms": lambda: tr45820.building_loss_db(np.zeros((3, 4))),
    "uniform range": lambda: tr45820.building_loss_db(np.full((3, 5), 2.0)),
    "enclosure code": lambda: enclosure_loss_db([9], [0.5], frequency_hz=F),
    "enclosure range": lambda: enclosure_loss_db([1], [0.5], frequency_hz=F, walls=WallSettings(facade_box_low_db=7.0)),
    "sigma": lambda: shadowing_db(Draws(seed=1, replication=0), np.zeros(1, np.uint64), -1.0),
    "correlation": lambda: shadowing_db(Draws(seed=1, replication=0), np.zeros(1, np.uint64), 1.0, end_correlation=0.5),
    "correlation range": lambda: shadowing_db(
        Draws(seed=1, replication=0), np.zeros(1, np.uint64), 1.0, end_correlation=1.5
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_impossible_input_is_refused(what):
    with pytest.raises(ValueError):
        REFUSED[what]()
