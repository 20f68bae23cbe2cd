from __future__ import annotations

import numpy as np
from amiplan.channels.draws import Draws, mix, pair_key, text_key
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

KEYS = mix(np.arange(50_000, dtype=np.uint64))


def test_uniform_draws_are_uniform() -> None:
    assert stats.kstest(Draws(1, 0).uniform("shadowing", KEYS), "uniform").pvalue > 1e-3


def test_normal_draws_are_normal() -> None:
    assert stats.kstest(Draws(1, 0).normal("shadowing", KEYS), "norm").pvalue > 1e-3


def test_purposes_replications_and_seeds_are_independent() -> None:
    base = Draws(1, 0).uniform("a", KEYS)
    for other in (Draws(1, 0).uniform("b", KEYS), Draws(1, 1).uniform("a", KEYS), Draws(2, 0).uniform("a", KEYS)):
        assert abs(np.corrcoef(base, other)[0, 1]) < 0.02


def test_neighbouring_keys_are_independent() -> None:
    raw = Draws(1, 0).uniform("a", np.arange(50_000, dtype=np.uint64))
    assert abs(np.corrcoef(raw[:-1], raw[1:])[0, 1]) < 0.02


@given(st.permutations(range(12)))
def test_shuffled_keys_give_shuffled_draws(order: list[int]) -> None:
    keys = KEYS[:12]
    draws = Draws(7, 3)
    assert (draws.uniform("x", keys[order]) == draws.uniform("x", keys)[order]).all()


def test_both_ends_share_a_pair() -> None:
    assert (pair_key(KEYS[:9], KEYS[9:18]) == pair_key(KEYS[9:18], KEYS[:9])).all()
    assert np.unique(pair_key(KEYS[:1000], KEYS[1000:2000])).size == 1000


def test_text_keys_are_stable() -> None:
    # blake2b with an 8-byte digest, little endian; a change here changes every study.
    assert text_key("meter-1") == 5743809508251230072
    assert text_key("meter-1") != text_key("meter-2")


def test_the_generator_repeats() -> None:
    assert Draws(1, 2).generator("cell").random() == Draws(1, 2).generator("cell").random()
