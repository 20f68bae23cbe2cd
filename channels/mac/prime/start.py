"""A PRIME network as it stands at the start of a reading window: registered along given routes."""

from __future__ import annotations

from collections.abc import Sequence

from ...technology import Routes
from .base_node import BaseNode
from .roles import Ground
from .service_node import ServiceNode


def stand(cell: Ground, base: BaseNode, nodes: Sequence[ServiceNode], routes: Routes, site: int) -> None:
    """Register and connect all that have a route, parents as switches; the others have searched in vain for long."""
    served = [int(node) for node in cell.line.links.node[:-1] if routes.server[node] == site]
    index = cell.line.links.index
    parents = {index(node): index(int(routes.parent[node])) for node in served}
    switches = set(parents.values())
    for member in _parents_first(parents, base.index):
        _register(base, nodes, member, parents[member], member in switches)
    for record in base.records.of.values():
        if record.own >= 0:
            nodes[record.member].switching.begin(record.slot)
    _search(cell, base, nodes)


def _parents_first(parents: dict[int, int], base: int) -> list[int]:
    """Members whose parents lead to the base node, each behind its parent."""
    order, ready = [base], {base}
    for member in order:
        more = [child for child, parent in parents.items() if parent == member and child not in ready]
        order += more
        ready.update(more)
    return order[1:]


def _register(base: BaseNode, nodes: Sequence[ServiceNode], member: int, parent: int, relays: bool) -> None:
    """One member; it stays out where its parent found no identity or slot as a switch."""
    cell, node = base.cell, nodes[member]
    above = None if parent == base.index else base.records.of.get(parent)
    if parent != base.index and (above is None or above.own < 0):
        return
    record = base.records.enter(member, above.own if above else 0)
    node.joining.install(parent, record.switch, record.node, record.level)
    if above:
        nodes[parent].relay.adopt(record.node, member)
    record.seen_s = cell.env.now - cell.mac.alive_s * cell.line.draw()
    for low, high in _hops(base, nodes, member):
        modem = base.modem if high == base.index else nodes[high].modem
        modem.remember(low, record.seen_s)
    if relays and base.records.promote(record) is not None:
        node.relay.begin(record.own)
        for low, high in _hops(base, nodes, member)[:-1]:
            nodes[high].relay.learn(record.own, low)
    base.open(record)
    base.confirm(record)


def _hops(base: BaseNode, nodes: Sequence[ServiceNode], member: int) -> list[tuple[int, int]]:
    """Lower and upper end of each hop from a member to the base node, the member's own first."""
    way = [(member, nodes[member].parent)]
    while way[-1][1] != base.index:
        way.append((way[-1][1], nodes[way[-1][1]].parent))
    return way


def _search(cell: Ground, base: BaseNode, nodes: Sequence[ServiceNode]) -> None:
    """Who is not registered searches, and everybody has learnt that this is in vain."""
    outside = [node for node in nodes if not node.joined]
    for node in outside:
        node.boot(cell.mac.forming.slowest_request_s, settled=True)
        base.promotions.in_vain(node.index)
        for other in nodes:
            if other.joined and cell.line.understands(node.index, other.index):
                other.offers.in_vain(node.address)
