"""What is odd about a low-voltage network and is used all the same: islands, loops, open ends."""

from __future__ import annotations

from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .area import FeederNetwork
from .audit import fault_rows, no_rows

Array = NDArray[Any]


def network_graph(feeders: FeederNetwork) -> Any:
    """The network as a networkx MultiGraph; edges carry their row as key."""
    graph: Any = nx.MultiGraph()
    graph.add_nodes_from(range(feeders.node_x_m.size))
    rows = range(feeders.edge_from.size)
    graph.add_edges_from(zip(feeders.edge_from.tolist(), feeders.edge_to.tolist(), rows, strict=True))
    return graph


def audit_network(feeders: FeederNetwork, meter_node: Array, transformer_ids: Array) -> pd.DataFrame:
    """Islands (no transformer feeds them), loops and open ends (no meter, no transformer at the end of a line).

    Parameters
    ----------
    meter_node : (n_meters,) feeder node of each meter, -1 for none.
    transformer_ids : (n_transformers,) the user's ids.

    Returns
    -------
    DataFrame of the fault list's columns, one row an oddity; ``id`` names its first node and transformer.
    """
    graph = network_graph(feeders)
    found: list[tuple[int, str, str]] = []
    degree = np.bincount(np.concatenate([feeders.edge_from, feeders.edge_to]), minlength=feeders.node_x_m.size)
    for component in nx.connected_components(graph):
        first = min(component)
        if not (feeders.node_area[list(component)] >= 0).any():
            n_meters = int(np.isin(meter_node, list(component)).sum())
            found.append((first, "island", f"{len(component)} nodes and {n_meters} meters are fed by no transformer"))
        n_loops = int(degree[list(component)].sum()) // 2 - len(component) + 1
        if n_loops > 0:
            found += _loops(graph.subgraph(component), n_loops)
    busy = np.zeros(feeders.node_x_m.size, dtype=bool)
    busy[meter_node[meter_node >= 0]] = True
    busy[feeders.transformer_node[feeders.transformer_node >= 0]] = True
    ends = np.flatnonzero((degree == 1) & ~busy)
    found += [(int(node), "open_end", "a line ends here without meter or transformer") for node in ends]
    if not found:
        return no_rows()
    found.sort()
    node, code, detail = (list(column) for column in zip(*found, strict=True))
    area = feeders.node_area[node]
    names = np.array(
        [
            f"node {n}" + (f" of transformer {transformer_ids[a]}" if a >= 0 else "")
            for n, a in zip(node, area, strict=True)
        ]
    )
    return fault_rows(
        "cables", np.full(len(node), -1), names, code, detail, _mm(feeders.node_x_m[node]), _mm(feeders.node_y_m[node])
    )


def _loops(part: Any, n_loops: int) -> list[tuple[int, str, str]]:
    parallel = sorted({(min(a, b), max(a, b)) for a, b, key in part.edges(keys=True) if part.number_of_edges(a, b) > 1})
    found = [(a, "loop", f"parallel lines between nodes {a} and {b}") for a, b in parallel]
    for cycle in nx.cycle_basis(nx.Graph(part), min(part)):
        found.append((min(cycle), "loop", f"closed loop of {len(cycle)} lines"))
    return found[: max(n_loops, 1)]


def _mm(values: Array) -> Array:
    return np.round(values, 3)
