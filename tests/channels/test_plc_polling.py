"""Rounds of polling: exact queues, variances, moments of a day, several jobs side by side, contention for slots."""

import numpy as np
import pytest
from amiplan.channels.mac.g3.csma import Backoff, CsmaSettings, idle_windows, mean_slots
from amiplan.channels.mac.plc.contention import contest
from amiplan.channels.mac.plc.line_share import line_stretch, line_throughput
from amiplan.channels.mac.plc.polling import Jobs, poll
from hypothesis import given, settings
from hypothesis import strategies as st

ENDLESS = np.array([np.inf])


def jobs(n=3, **columns):
    """Jobs of 2, 3 and 4 s at one site, certain to succeed unless told otherwise."""
    time = np.array([[2.0, 3.0, 4.0]])[:, :n]
    given_ = {
        "server": np.zeros(n, int), "rank": np.arange(float(n)), "not_before_s": np.zeros(n),
        "window_s": np.full(n, 100.0), "success": np.ones((1, n)), "done_s": time, "done_s2": np.zeros((1, n)),
        "failed_s": time, "failed_s2": np.zeros((1, n)), "line_s": np.zeros((1, n)), "frames": np.ones((1, n)),
    }  # fmt: skip
    return Jobs(**{**given_, **columns})


def polled(until_s=ENDLESS, rounds=3, told=None, **moves):
    return poll(jobs(**(told or {})), until_s, rounds=rounds, **moves)


def test_polling_in_order_with_certain_answers():
    fate = polled()
    np.testing.assert_allclose(fate.p50_s, [2, 5, 9])
    np.testing.assert_allclose(fate.p95_s, [2, 5, 9])
    np.testing.assert_allclose(fate.p_arrive, 1)
    np.testing.assert_allclose(polled(alone=True).p50_s, [2, 3, 4])
    np.testing.assert_allclose(polled(told={"rank": np.array([2.0, 1, 0])}).p50_s, [9, 7, 4])


def test_polling_waits_for_the_earliest_start_and_keeps_sites_apart():
    np.testing.assert_allclose(polled(told={"not_before_s": np.array([0.0, 10.0, 10.0])}).p50_s, [2, 3, 7])
    np.testing.assert_allclose(polled(told={"server": np.array([0, 1, 0])}).p50_s, [2, 3, 6])


def test_polling_repeats_until_the_window_ends():
    half = {"success": np.full((1, 3), 0.5)}
    fate = polled(told=half)
    np.testing.assert_allclose(fate.p_arrive, 0.875)
    np.testing.assert_allclose(fate.p_eventually, 0.875)
    np.testing.assert_allclose(fate.p50_s, [2, 5, 9])
    np.testing.assert_allclose(fate.frames, 1.75)
    none = polled(told={**half, "window_s": np.full(3, 1.0)})
    assert np.all(none.p_arrive == 0)
    assert np.all(np.isinf(none.p50_s))
    with pytest.raises(ValueError, match="at least 1"):
        polled(rounds=0)


def test_who_is_asked_again_has_failed_before():
    # one job that fails every other time after 60 s, and takes 2 s where it does not
    told = {"success": np.full((1, 1), 0.5), "done_s": np.full((1, 1), 2.0), "failed_s": np.full((1, 1), 60.0)}
    fate = poll(jobs(1, **told, window_s=np.full(1, 1000.0)), ENDLESS, rounds=2)
    assert fate.p50_s[0] == pytest.approx(2.0)
    # the second round begins after 31 s on average; of those who are in it, after 60
    assert fate.p95_s[0] == pytest.approx(62.0)


def test_polling_leaves_the_rest_of_the_window_to_others():
    # jobs of 2, 3 and 4 s; half of a window of 10 s holds the first two
    short = {"window_s": np.full(3, 10.0)}
    fate = polled(told=short, airtime_share=0.5)
    np.testing.assert_allclose(fate.p_arrive, [1, 1, 0])
    np.testing.assert_allclose(fate.p_eventually, 1)
    np.testing.assert_allclose(polled(told=short, airtime_share=0.49).frames, [1, 1, 0])
    # what was polled before a job may start does not count against it
    late = {**short, "not_before_s": np.array([0.0, 0.0, 20.0])}
    np.testing.assert_allclose(polled(told=late, airtime_share=0.5).p_arrive, 1)
    np.testing.assert_allclose(polled(told=short, airtime_share=0.5, alone=True).p_arrive, 1)
    with pytest.raises(ValueError, match="airtime_share"):
        polled(airtime_share=0.0)


def test_variances_add_up_along_the_queue():
    # the third job ends after 9 s, standard deviation 3 s
    told = {"done_s2": np.full((1, 3), 3.0), "window_s": np.full(3, 12.0)}
    fate = polled(told=told, rounds=1)
    assert fate.p_arrive[2] == pytest.approx(0.8413447, abs=1e-6)
    assert fate.p50_s[0] == pytest.approx(2.0, abs=1e-3)
    wide = polled(told={**told, "window_s": np.full(3, 1000.0)}, rounds=1)
    assert wide.p95_s[2] == pytest.approx(9 + 1.6448536 * 3, abs=1e-3)


def test_an_attempt_is_that_of_the_moment_in_which_it_begins():
    told = {
        name: np.vstack([one, two])
        for name, one, two in (
            ("success", [1.0, 1, 1], [1.0, 0.5, 1]), ("done_s", [2.0, 3, 4], [20.0, 30, 40]),
            ("failed_s", [2.0, 3, 4], [20.0, 30, 40]), ("done_s2", [0.0] * 3, [0.0] * 3),
            ("failed_s2", [0.0] * 3, [0.0] * 3), ("line_s", [0.0] * 3, [0.0] * 3), ("frames", [1.0] * 3, [5.0] * 3),
        )
    }  # fmt: skip
    fate = poll(jobs(**told), np.array([4.0, np.inf]), rounds=1)
    np.testing.assert_allclose(fate.p50_s, [2, 5, 45])
    np.testing.assert_allclose(fate.frames, [1, 1, 5])
    fate = poll(jobs(**told), np.array([1.0, np.inf]), rounds=1)
    np.testing.assert_allclose(fate.p_arrive, [1, 0.5, 1])


def test_who_has_no_way_now_is_asked_when_there_is_one():
    gone, there = np.zeros((1, 3)), np.array([[2.0, 3.0, 4.0]])
    told = {name: np.vstack([gone, there]) for name in ("done_s", "failed_s")}
    told["success"] = np.array([[0.0] * 3, [1.0] * 3])
    for name in ("done_s2", "failed_s2", "line_s", "frames"):
        told[name] = np.zeros((2, 3))
    fate = poll(jobs(**told), np.array([50.0, np.inf]), rounds=1)
    np.testing.assert_allclose(fate.p50_s, [52, 55, 59])
    np.testing.assert_allclose(poll(jobs(**told), np.array([50.0, np.inf]), rounds=1, alone=True).p50_s, [52, 53, 54])
    # while one is asked already, the others wait for their way
    told["success"][0, 0], told["done_s"][0, 0], told["failed_s"][0, 0] = 1.0, 2.0, 2.0
    np.testing.assert_allclose(poll(jobs(**told), np.array([50.0, np.inf])).p50_s, [2, 53, 57])
    never = poll(jobs(success=gone, done_s=gone, failed_s=gone), ENDLESS, rounds=1)
    assert np.all(never.p_arrive == 0)


def test_side_by_side_goes_to_the_first_free_place_and_shares_the_line():
    # nothing is on the line: two places, jobs of 2, 3 and 4 s
    np.testing.assert_allclose(polled(parallel=2).p50_s, [2, 3, 6])
    # all of it is on the line: nothing is gained, whatever the number of places
    busy = {"line_s": np.array([[2.0, 3, 4]])}
    assert polled(parallel=2, told=busy).p50_s.max() >= 9
    many = jobs(40, server=np.zeros(40, int), rank=np.arange(40.0), not_before_s=np.zeros(40),
                window_s=np.full(40, 1e4), **{name: np.full((1, 40), value) for name, value in (
                    ("success", 1.0), ("done_s", 4.0), ("done_s2", 0.0), ("failed_s", 4.0), ("failed_s2", 0.0),
                    ("line_s", 1.0), ("frames", 1.0))})  # fmt: skip
    one, four, wasteful = (
        poll(many, ENDLESS, parallel=parallel, contention=np.array(loss)).p50_s.max()
        for parallel, loss in ((1, [1.0]), (4, [1.0]), (4, [1.0, 1.2, 1.4, 1.6]))
    )
    assert one == pytest.approx(160)
    assert 160 / 4 < four < 160
    assert four == pytest.approx(40 / line_throughput(3.0, 1.0, 4, np.ones(1)), rel=0.05)
    assert wasteful > 1.1 * four


def test_throughput_of_a_shared_line_after_mean_value_analysis():
    # textbook recursion for one queueing station and a delay
    wait_s, line_s, queue = 3.0, 1.0, 0.0
    for n in range(1, 12):
        stay_s = line_s * (1 + queue)
        rate = n / (wait_s + stay_s)
        queue = rate * stay_s
        assert line_throughput(wait_s, line_s, n, np.ones(1)) == pytest.approx(rate, rel=1e-12)
    assert line_throughput(0.0, 2.0, 5, np.ones(1)) == pytest.approx(0.5)
    assert line_throughput(1e3, 1.0, 4000, np.ones(1)) == pytest.approx(1.0, rel=1e-3)
    assert line_stretch(3.0, 0.0, 4, np.ones(1), np.zeros(1)) == 1


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 3), st.booleans())
def test_order_of_rows_does_not_matter_and_more_time_never_hurts(seed, parallel, alone):
    rng, n = np.random.default_rng(seed), 12
    told = {
        "server": rng.integers(0, 3, n), "rank": rng.random(n), "not_before_s": np.zeros(n),
        "window_s": np.full(n, 30.0), "success": rng.uniform(0.2, 1, (1, n)), "done_s": rng.uniform(1, 5, (1, n)),
        "done_s2": rng.uniform(0, 2, (1, n)), "failed_s": rng.uniform(1, 9, (1, n)), "failed_s2": np.zeros((1, n)),
        "line_s": rng.uniform(0, 1, (1, n)), "frames": np.ones((1, n)),
    }  # fmt: skip
    fate = poll(jobs(n, **told), ENDLESS, parallel=parallel, alone=alone)
    mixed = rng.permutation(n)
    again = poll(
        jobs(n, **{name: one[..., mixed] for name, one in told.items()}), ENDLESS, parallel=parallel, alone=alone
    )
    np.testing.assert_allclose(again.p_arrive, fate.p_arrive[mixed], rtol=1e-9)
    longer = poll(jobs(n, **{**told, "window_s": np.full(n, 60.0)}), ENDLESS, parallel=parallel, alone=alone)
    assert np.all(longer.p_arrive >= fate.p_arrive - 1e-12)
    assert np.all(fate.p_arrive <= fate.p_eventually + 1e-9)
    seen = np.isfinite(fate.p50_s)
    assert np.all(fate.p50_s[seen] <= fate.p95_s[seen])


def test_a_lone_sender_runs_through_the_cycle_of_its_windows():
    csma = CsmaSettings()
    alone, cycle = contest(1, csma), idle_windows(csma)
    for window, one in alone.window_shares[0].items():
        assert one == pytest.approx(cycle.count(window) / len(cycle), abs=1e-6)
    assert alone.slots == pytest.approx(float(mean_slots(0, csma)), rel=1e-6)
    assert alone.until_won == pytest.approx(1)
    with pytest.raises(ValueError, match="do not contend"):
        contest(0, csma)


def test_one_window_is_the_smallest_of_uniform_draws():
    window, n = 8, 3
    cases = np.stack(np.meshgrid(*[np.arange(1, window + 1)] * n), -1).reshape(-1, n)
    smallest = cases.min(1)
    told = contest(n, CsmaSettings(max_be=3))
    assert told.shared == pytest.approx(np.mean((cases == smallest[:, None]).sum(1) > 1))
    assert told.slots == pytest.approx(smallest.mean())


@pytest.mark.parametrize("n", [2, 4, 8])
def test_contests_against_drawn_ones(n):
    """Senders that always have something and all draw anew after each frame, with the modem's own law of windows."""
    csma, rng = CsmaSettings(fairness_limit=10**6), np.random.default_rng(2)
    senders, shared, first_slot, contests = [Backoff(csma) for _ in range(n)], 0, 0, 20000
    for _ in range(contests):
        draws = np.array([one.slots(rng.random()) - 7 for one in senders])
        first = np.flatnonzero(draws == draws.min())
        shared += first.size > 1
        first_slot += draws.min()
        for row, one in enumerate(senders):
            if row not in first:
                one.busy()
            elif first.size > 1:
                one.failed()
            else:
                one.succeeded()
    told = contest(n, csma)
    assert told.slots == pytest.approx(first_slot / contests, rel=0.15)
    assert told.shared == pytest.approx(shared / contests, abs=0.006)


def test_who_waits_elsewhere_does_not_crowd_the_line():
    """Two exchanges of 1 s on the line and 3 s beside it, some of whose frames are lost and sent again after a wait."""
    one = np.ones(2)
    # half a second of waiting for each on the line, crowded or not, is half a second more beside the line
    lost = line_stretch(3.0, 1.0, 2, one, np.full(2, 0.5))
    assert lost == pytest.approx(2 / line_throughput(3.5, 1.0, 2, one) - 3.0, rel=1e-6)
    # where 5 s are lost for each in a crowd: w = 3 + 5 / (1 + w) is the wait, 1 / (1 + w) being done in a crowd
    crowded = line_stretch(3.0, 1.0, 2, one, np.array([0.0, 5.0]))
    assert crowded == pytest.approx(2 / line_throughput(4.0, 1.0, 2, one) - 3.0, rel=1e-6)
    assert line_stretch(3.0, 1.0, 50, one, np.array([0.0, 1e3])) > crowded


def patient(n, limit, **moves):
    """``n`` jobs of 3 s beside the line and 1 s on it; none completes where the line stretches that beyond a limit."""
    levels = np.array([1.0, 2.0, 4.0, 8.0])
    success, time = np.where(levels > limit, 0.0, 1.0), 3 + levels
    columns = {"success": success, "done_s": time, "failed_s": time}
    columns |= dict.fromkeys(("done_s2", "failed_s2"), np.zeros(4)) | dict.fromkeys(("line_s", "frames"), np.ones(4))
    wide = {name: np.tile(one[:, None, None], (1, 1, n)) for name, one in columns.items()}
    place = {"server": np.zeros(n, int), "rank": np.arange(float(n)), "not_before_s": np.zeros(n)}
    return poll(jobs(n, **place, window_s=np.full(n, 1e4), stretch=tuple(levels), **wide), ENDLESS, **moves)


def test_what_a_crowded_line_stretches_beyond_patience_fails():
    one, some, many = (patient(40, 2.0, parallel=parallel) for parallel in (1, 2, 20))
    np.testing.assert_allclose(one.p_arrive, 1)
    np.testing.assert_allclose(one.p50_s, 4 * np.arange(1, 41))
    np.testing.assert_allclose(some.p_arrive, 1)
    assert many.p_arrive.max() < 0.01
    # with patience the levels are those of a line without any: what has to be done there grows as the line says
    endless = patient(40, np.inf, parallel=20)
    np.testing.assert_allclose(endless.p_arrive, 1)
    alone = {name: np.ones((1, 40)) for name in ("success", "line_s", "frames")}
    alone |= {name: np.full((1, 40), 4.0) for name in ("done_s", "failed_s")}
    alone |= {name: np.zeros((1, 40)) for name in ("done_s2", "failed_s2")}
    place = {"server": np.zeros(40, int), "rank": np.arange(40.0), "not_before_s": np.zeros(40)}
    whole = poll(jobs(40, **place, window_s=np.full(40, 1e4), **alone), ENDLESS, parallel=4)
    np.testing.assert_allclose(patient(40, np.inf, parallel=4).p50_s, whole.p50_s, rtol=1e-3)
