"""One contract over the folder: every technology answers to each input it declares, in the right direction."""

import dataclasses

import numpy as np
import pytest
from amiplan.channels.draws import Draws
from amiplan.channels.parameters import parameters_of
from amiplan.channels.paths import CablePaths, Clutter, Enclosure, RadioPaths
from amiplan.channels.powerline.cables import cable_named
from amiplan.channels.powerline.scenarios import LineScenario
from amiplan.channels.scenario import Scenario
from amiplan.channels.technologies import all_technologies, technology
from amiplan.channels.technology import DOWN, UP, Exchanges, Influence, Medium, Technology

ALL = all_technologies()
DRAWS = Draws(seed=11, replication=0)
CASES = [(name, influence) for name, cls in ALL.items() for influence in cls.influences]
NEUTRAL = Scenario()


def star(n_meters=8, *, stretch=1.0, mast=12.0, hill=0.0, enclosure=Enclosure.FACADE_BOX, clutter=1, copies=1):
    """Two sites and a ring of meters around the first, flat ground unless there is a hill on every path."""
    radius = np.tile(np.linspace(40.0, 260.0, n_meters), copies) * stretch
    n = radius.size
    first, second = radius, radius + 150.0
    shape = hill * np.hanning(17).astype(np.float32)
    heights = np.concatenate([np.full(n, 2.0), np.full(2, mast)])
    surroundings = np.full(n + 2, clutter, np.int8)
    indoor = np.concatenate([np.full(n, enclosure, np.int8), np.zeros(2, np.int8)])
    return RadioPaths(
        from_node=np.tile(np.arange(n), 2).astype(np.int32),
        to_node=np.repeat([n, n + 1], n).astype(np.int32),
        distance_m=np.concatenate([first, second]),
        terrain_m=np.tile(shape, (2 * n, 1)).astype(np.float32),
        node_height_m=heights,
        node_clutter=surroundings,
        node_enclosure=indoor,
        node_key=np.concatenate([np.arange(1, n + 1), [10**6, 10**6 + 1]]).astype(np.uint64),
        n_meters=n,
        n_sites=2,
    )


def street(n_meters=8, *, stretch=1.0, cable="NAYY 4x150", copies=1):
    """One transformer and a feeder with a meter on every node; further copies share the nodes."""
    node = np.arange(1, n_meters + 1)
    meters = np.tile(node, copies)
    n = meters.size
    far = np.arange(n)
    low, high = np.triu_indices(n, 1)
    metres = meters * 40.0 * stretch
    return CablePaths(
        edge_from=(node - 1).astype(np.int32),
        edge_to=node.astype(np.int32),
        edge_length_m=np.full(n_meters, 40.0 * stretch),
        edge_cable=np.zeros(n_meters, np.int16),
        cables=(cable_named(cable),),
        feeder_area=np.zeros(n_meters + 1, np.int32),
        meter_feeder_node=meters.astype(np.int32),
        site_feeder_node=np.zeros(1, np.int32),
        site_rated_kva=np.full(1, 400.0),
        meter_phases=np.full(n, 3, np.int8),
        from_node=np.concatenate([far, low]).astype(np.int32),
        to_node=np.concatenate([np.full(n, n), high]).astype(np.int32),
        distance_m=np.concatenate([metres, np.maximum(np.abs(metres[high] - metres[low]), 1.0)]),
        node_key=np.concatenate([np.arange(1, n + 1), [10**6]]).astype(np.uint64),
        n_meters=n,
        n_sites=1,
    )


def wired(tech):
    return Medium.POWERLINE in tech.media


def world(tech, **moves):
    return street(**moves) if wired(tech) else star(**moves)


def reading(tech, n_meters, n_bytes=200, window_s=1800.0):
    """One exchange per meter: a push, or a request and its response."""
    pull = tech.exchange_policy == "pull"
    legs = 2 if pull else 1
    n = n_meters * legs
    leg = np.tile(np.arange(legs), n_meters).astype(np.int16)
    return Exchanges(
        exchange=np.repeat(np.arange(n_meters), legs).astype(np.int64),
        leg=leg,
        meter=np.repeat(np.arange(n_meters), legs).astype(np.int32),
        service=np.zeros(n, np.int16),
        direction=np.where(leg == legs - 1, UP, DOWN).astype(np.int8),
        bytes=np.where(leg == legs - 1, n_bytes, 40).astype(np.int32),
        depends_on=(leg - 1).astype(np.int16),
        not_before_s=np.zeros(n),
        timeout_s=np.full(n, 60.0),
        tries=np.full(n, 2, np.int8),
        services=("profile",),
        window_s=(window_s,),
    )


def margins(tech, paths, scenario=NEUTRAL):
    quality = tech.assess(paths, scenario, DRAWS)
    direct = paths.to_node >= paths.n_meters
    return np.concatenate([quality.margin_up_db[direct], quality.margin_down_db[direct]])


def outcome(tech, paths, scenario=NEUTRAL, **traffic):
    quality = tech.assess(paths, scenario, DRAWS)
    routes = tech.routes(paths, quality, np.ones(paths.n_sites, bool))
    return tech.carry(reading(tech, paths.n_meters, **traffic), routes, paths, quality, scenario, DRAWS)


def worse(before, after, n_meters):
    """Every one of the first meters loses more, or waits longer; none loses noticeably less."""
    assert hurt(before, after, n_meters).all()


def hurt(before, after, n_meters):
    """(n_services, n_meters) bool: the meter loses more, or waits longer; checks that none loses noticeably less."""
    p = [result.p_arrive[:, :n_meters] for result in (before, after)]
    late_s = [np.minimum(result.latency_p95_s[:, :n_meters], 1e6) for result in (before, after)]
    assert (p[1] <= p[0] + 1e-6).all()
    return (p[1] < p[0] - 1e-9) | (late_s[1] > late_s[0] + 1e-9)


def lowers(before, after, *, by_db=None, share=1.0):
    """No margin rises; at least ``share`` of them fall (by exactly ``by_db``, where it is given)."""
    finite = np.isfinite(before)
    assert finite.any()
    assert (after[finite] <= before[finite] + 1e-6).all()
    assert (after[finite] < before[finite] - 1e-3).mean() >= share
    if by_db is not None:
        np.testing.assert_allclose(before[finite] - after[finite], by_db, atol=1e-6)


def power_fields(tech):
    """Settings of radiated or injected level, limits left alone."""
    return {
        row["name"]: row["value"] - 6.0
        for row in parameters_of(tech)
        if row["unit"] in ("dBm", "dBµV", "dBuV")
        and any(word in row["name"] for word in ("eirp", "tx_", "power"))
        and not any(word in row["name"] for word in ("limit", "max", "floor"))
    }


def move_distance(tech):
    before, after = (margins(tech, world(tech, stretch=stretch)) for stretch in (1.0, 3.0))
    if wired(tech):  # reflections: a longer cable may help a single link
        assert after.mean() < before.mean() - 1.0
    else:
        lowers(before, after)


def move_site_height(tech):
    near_in_sight = 0.5 if Influence.DENSITY in tech.influences and hasattr(tech, "neighbour_radius_m") else 1.0
    lowers(margins(tech, world(tech, mast=30.0)), margins(tech, world(tech, mast=6.0)), share=near_in_sight)


def move_terrain(tech):
    lowers(margins(tech, world(tech)), margins(tech, world(tech, hill=60.0)))


def move_enclosure(tech):
    before = margins(tech, world(tech))
    lowers(margins(tech, world(tech, enclosure=Enclosure.NONE)), before)
    lowers(before, margins(tech, world(tech, enclosure=Enclosure.BASEMENT)))
    lowers(before, margins(tech, world(tech), Scenario(enclosure_offset_db=6.0)), by_db=6.0)


def move_clutter(tech):
    kinds = (Clutter.OPEN, Clutter.SUBURBAN, Clutter.URBAN)
    open_land, suburb, town = (margins(tech, world(tech, clutter=kind, stretch=2.0)) for kind in kinds)
    lowers(open_land, suburb)
    lowers(suburb, town)


def move_tx_power(tech):
    weaker = power_fields(tech)
    assert weaker, "declares TX_POWER but has no such setting"
    before, after = margins(tech, world(tech)), margins(dataclasses.replace(tech, **weaker), world(tech))
    if wired(tech):  # strong links reach the same ceiling
        lowers(before, after, share=0.5)
    else:
        lowers(before, after, by_db=6.0)


def move_noise(tech):
    if not wired(tech):
        lowers(margins(tech, world(tech)), margins(tech, world(tech), Scenario(noise_offset_db=10.0)), by_db=10.0)
        return
    # impulses put a ceiling on the effective SNR of strong links, and emitters hide the background of others
    calm, line = dataclasses.replace(tech, emitter_ratio=0.0), LineScenario(severity="quiet")
    silent = Scenario(powerline=line, noise_offset_db=45.0), Scenario(powerline=line, noise_offset_db=60.0)
    lowers(*(margins(calm, world(tech), scenario) for scenario in silent))


def move_traffic(tech):
    paths = world(tech)
    worse(*(outcome(tech, paths, n_bytes=size) for size in (100, 2000)), paths.n_meters)


def move_density(tech):
    """A crowd hurts all who were there before: at leisure, or, where they are polled in turn, when time is short."""
    many = 10 if wired(tech) else 60  # every pair of an area is a link, and many modems short it
    crowds = ([outcome(tech, world(tech, copies=n), window_s=time_s) for n in (1, many)] for time_s in (1800.0, 20.0))
    everyone = [hurt(*pair, 8).all() for pair in crowds]
    assert any(everyone)


def move_load_impedance(tech):
    before, after = (margins(tech, world(tech), Scenario(load_impedance_factor=f)) for f in (1.0, 0.1))
    assert after.mean() < before.mean() - 0.1


def move_cable(tech):
    before, after = (margins(tech, world(tech, cable=cable)) for cable in ("NAYY 4x150", "NAYY 4x50"))
    assert np.abs(after - before).max() > 0.01


def move_duty_cycle(tech):
    tighter = {
        row["name"]: row["value"] * 0.0002
        for row in parameters_of(tech)
        if "duty_cycle" in row["name"] and isinstance(row["value"], float)
    }
    assert tighter, "declares DUTY_CYCLE but has no such setting"
    tight = dataclasses.replace(tech, **tighter)
    paths = world(tech)
    worse(*(outcome(t, paths, n_bytes=1000, window_s=7200.0) for t in (tech, tight)), paths.n_meters)


MOVES = {influence: globals()[f"move_{influence.value}"] for influence in Influence}


@pytest.mark.parametrize(("name", "influence"), CASES, ids=[f"{n}-{i.value}" for n, i in CASES])
def test_answers_to_what_it_declares(name, influence):
    MOVES[influence](technology(name))


@pytest.mark.parametrize("name", ALL)
def test_fulfils_the_protocol(name):
    tech = technology(name)
    assert isinstance(tech, Technology)
    assert tech.name == name
    assert tech.influences
    assert all(len(frame) for frame in tech.tables().values())
    for row in parameters_of(tech):
        assert row["meaning"], row["name"]
        assert row["source"], row["name"]
        assert row["confidence"] in "ABC"
        for bound, sign in ((row["minimum"], 1), (row["maximum"], -1)):
            assert bound is None or sign * (row["value"] - bound) >= 0, row["name"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        tech.name_of_nothing = 1


@pytest.mark.parametrize("name", ALL)
def test_columns_have_their_shapes_and_no_nan(name):
    tech = technology(name)
    paths = world(tech)
    quality = tech.assess(paths, NEUTRAL, DRAWS)
    for item in dataclasses.fields(quality):
        column = getattr(quality, item.name)
        assert column.shape == (paths.n_links,), item.name
        assert not np.isnan(column.astype(float)).any(), item.name
    result = outcome(tech, paths)
    for item in dataclasses.fields(result):
        column = getattr(result, item.name)
        assert column.shape == (1, paths.n_meters), item.name
        assert not np.isnan(column.astype(float)).any(), item.name
    assert ((result.p_arrive >= 0) & (result.p_arrive <= 1)).all()
    airtime = tech.airtime_s(np.array([0, 0]), np.array([40, 400]))
    assert 0 < airtime[0] < airtime[1]
    load = tech.load(reading(tech, paths.n_meters), paths, quality)
    assert load.meter_airtime_s.shape == (paths.n_meters,)
    assert load.site_capacity_s > 0
    reach = tech.reach(paths, quality)
    assert reach.site.size == reach.meter.size == reach.hops.size


@pytest.mark.parametrize("name", ALL)
def test_nothing_built_serves_nobody_and_gives_reasons(name):
    tech = technology(name)
    paths = world(tech)
    quality = tech.assess(paths, NEUTRAL, DRAWS)
    routes = tech.routes(paths, quality, np.zeros(paths.n_sites, bool))
    assert (routes.server == -1).all()
    assert (routes.reason != 0).all()
    result = tech.carry(reading(tech, paths.n_meters), routes, paths, quality, NEUTRAL, DRAWS)
    assert (result.p_arrive == 0).all()
    assert (result.reason != 0).all()


RADIO = [name for name, cls in ALL.items() if Medium.POWERLINE not in cls.media]


def test_a_meter_has_the_same_wall_in_every_radio_technology():
    """Same draw, same place in the distribution; what is left is 32 MHz of carrier: below 0.2 dB."""
    n = 400
    places = np.tile(np.arange(len(Enclosure), dtype=np.int8), n)[:n]
    losses = {}
    for name in RADIO:
        tech, paths = technology(name), star(n)
        sites = np.zeros(2, np.int8)
        inside = dataclasses.replace(paths, node_enclosure=np.concatenate([places, sites]))
        outside = dataclasses.replace(paths, node_enclosure=np.zeros(n + 2, np.int8))
        within, without = (tech.assess(p, NEUTRAL, DRAWS).loss_db for p in (inside, outside))
        losses[name] = (within - without)[:n]
    reference = losses[RADIO[0]]
    assert (reference[places == Enclosure.NONE] == 0.0).all()
    assert reference[places == Enclosure.INDOOR].std() > 5.0
    for name, wall_db in losses.items():
        np.testing.assert_allclose(wall_db, reference, atol=0.2, err_msg=name)


@pytest.mark.parametrize("name", ["lorawan", "nb_iot"])
def test_star_networks_look_as_far_as_their_path_loss_is_known(name):
    """A favourable draw (2 sigma, 3 dB box, 20 m mast, suburb) still closes at 20 km, where Hata's range ends."""
    tech = dataclasses.replace(technology(name), shadowing_sigma_db=0.0)
    paths = dataclasses.replace(star(1, mast=20.0), distance_m=np.array([20e3, 20e3]))
    assert tech.search_radius_m == 20e3
    assert margins(tech, paths)[0] + 2 * technology(name).shadowing_sigma_db > 0.0


@pytest.mark.parametrize("name", RADIO)
def test_links_answer_alone_as_in_company(name):
    tech = technology(name)
    paths = star()
    rows = np.array([3, 9, 1])
    whole, part = tech.assess(paths, NEUTRAL, DRAWS), tech.assess(paths.select(rows), NEUTRAL, DRAWS)
    np.testing.assert_allclose(part.margin_up_db, whole.margin_up_db[rows])
    np.testing.assert_allclose(part.margin_down_db, whole.margin_down_db[rows])


def test_unknown_names_and_values_are_refused():
    with pytest.raises(ValueError, match="lorawan"):
        technology("lorawann")
    with pytest.raises(ValueError, match="n_channels"):
        technology("lorawan", n_chanels=3)
    with pytest.raises(ValueError, match="allowed"):
        technology("lorawan", n_channels=99)
    with pytest.raises(ValueError, match="whole"):
        technology("lorawan", n_channels=3.5)
    with pytest.raises(ValueError, match="number"):
        technology("lorawan", rice_k_db=[1])
    with pytest.raises(ValueError, match="type"):
        technology("lorawan", rice_k_db="calm")
    with pytest.raises(ValueError, match="allowed"):
        technology("lorawan", duty_cycle=float("nan"))
    assert technology("lorawan", n_channels=3.0).n_channels == 3
