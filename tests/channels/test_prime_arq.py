"""Both ends of a PRIME connection over a line that loses, doubles and delays what it likes: nothing hangs."""

from types import SimpleNamespace

import numpy as np
import simpy
from amiplan.channels.mac.prime.arq import ArqSender
from amiplan.channels.mac.prime.csma import later
from amiplan.channels.mac.prime.endpoint import Endpoint
from amiplan.channels.mac.prime.outgoing import Message
from hypothesis import example, given
from hypothesis import settings as law
from hypothesis import strategies as st
from prime_packet import settings

FATES = st.lists(
    st.one_of(st.just(()), st.lists(st.sampled_from([0.1, 0.7, 1.2, 2.6, 5.0]), min_size=1, max_size=2).map(tuple)),
    max_size=40,
)
"""Of each packet in the order sent: when its copies arrive [s]; none is lost. All that follow arrive once, at once."""


class Pair:
    """Two ends, what came out of them, and which messages their senders are done with."""

    def __init__(self, window, tries, fates, security_bytes=0):
        self.env, self.counters = simpy.Environment(), {"retries": 0}
        self.done, self.renewed = [], []
        self.mac = settings(
            "1.4", arq_timeout_s=1.0, sar_bytes=64, arq_window=window, arq_tries=tries, security_bytes=security_bytes
        )
        self.line = SimpleNamespace(draw=np.random.default_rng(1).random)
        self._fates, self.got = iter(fates), ([], [])
        self.ends = [Endpoint(self, self._sends(k), self.got[k].append, lambda: 1, self._renews(k)) for k in (0, 1)]

    def settle_unseen(self, message):
        self.done.append(message)

    def _sends(self, end):
        def transmit(payload, message, left):
            for delay_s in next(self._fates, (0.1,)):
                later(self.env, delay_s, lambda: self.ends[1 - end].heard(payload))
            if left is not None:
                later(self.env, 0.05, left)

        return transmit

    def _renews(self, end):
        return lambda: self.renewed.append(end)

    def send(self, end, size):
        message = Message(end, 1 - end, bytes((end, size % 251)) * size, self.env.event())
        self.ends[end].send(message, message.data)
        return message


@law(max_examples=60)
@given(
    st.integers(1, 8), st.integers(1, 5), FATES, FATES,
    st.lists(st.tuples(st.integers(0, 1), st.integers(1, 300), st.sampled_from([0.0, 0.3, 2])), min_size=1, max_size=4)
)  # fmt: skip
@example(1, 5, [(0.1,), (1.2,), (0.1,), (0.7,), ()], [], [(0, 60, 0.0)])
def test_what_is_not_acknowledged_is_timed_until_it_arrives_or_was_tried_too_often(window, tries, first, more, asked):
    pair, sent = Pair(window, tries, first + more), []
    for end, size, pause_s in asked:
        sent.append(pair.send(end, size))
        pair.env.run(until=pair.env.now + pause_s + 1e-9)
    # with no timer left and nothing on the line, every sender has either heard of all its packets or has given up
    pair.env.run()
    for end, endpoint in enumerate(pair.ends):
        mine = [message.data for message in sent if message.source == end]
        arrived = pair.got[1 - end]
        assert arrived == mine[: len(arrived)]
        done = [message for message in pair.done if message.source == end]
        assert len(done) == len(mine) or endpoint.stale
        # only the last message of which the sender is done may be one that was given up
        assert len(arrived) >= len(done) - endpoint.stale
        assert endpoint.stale or len(arrived) == len(mine)


def test_what_waits_behind_a_message_that_is_given_up_asks_for_a_new_connection():
    pair = Pair(1, 2, [()] * 2)
    first, second = pair.send(0, 10), pair.send(0, 20)
    pair.env.run()
    assert pair.done == [first]
    assert pair.renewed == [0]
    for end in pair.ends:
        end.reset()
    pair.env.run()
    assert pair.done == [first, second]
    assert pair.got[1] == [second.data]


def test_a_late_word_on_a_copy_leaves_the_timer_of_the_next_packet():
    """The first packet goes twice; the word on its copy comes while the second packet, which is lost, is on its way."""
    pair = Pair(1, 5, [(0.1,), (1.2,), (0.1,), (0.7,), ()])
    message = pair.send(0, 60)
    pair.env.run()
    assert pair.got[1] == [message.data]
    assert pair.done == [message]
    assert pair.counters["retries"] > 0


def test_a_word_that_was_on_its_way_for_a_whole_window_counts_for_nothing():
    """32 packets later an old number means the same as the next one; the highest number it names gives it away."""
    sender = ArqSender(32, 5)
    sender.offer([bytes((k,)) for k in range(64)])
    sender.burst()
    assert sender.word(32, [], 31)
    sender.burst()
    assert sender.word(0, list(range(31)), 31) is False
    assert not sender.done
    assert sender.word(0, [], 63)
    assert sender.done
