"""How a state looks, everywhere the same: on the map of the report, in its tables and in QGIS.

Colours alone never carry the meaning: every reason has its own marker shape too. The first colours are the
eight of M. Okabe and K. Ito, "Color Universal Design", 2008, the others were chosen to differ from them in lightness.
QGIS reads its styles from the table ``layer_styles`` of a GeoPackage (QML as QGIS 3 writes it; SLD 1.0.0, OGC 02-070).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import NAMESPACE_URL, uuid5
from xml.sax.saxutils import escape, quoteattr

from ..channels.technology import Reason


@dataclass(frozen=True)
class Look:
    """One state of a meter: result word, plain words, colour ``#rrggbb``, plotly and QGIS marker shapes."""

    word: str
    text: str
    color: str
    symbol: str
    qgis_symbol: str


SERVED = Look("served", "Served", "#009e73", "circle", "circle")
NARROW = Look("served", "Served, below 99 %", "#79c9ae", "circle", "circle")
"""Served, but read in fewer than 99 % of the periods."""
LOOKS: dict[Reason, Look] = {
    Reason.NONE: SERVED,
    Reason.BUDGET: Look("budget", "Signal too weak at this distance", "#d55e00", "triangle-up", "triangle"),
    Reason.TERRAIN: Look("terrain", "Terrain in the way", "#7a4a12", "triangle-down", "arrowhead"),
    Reason.BUILDING: Look("building", "Loss in building or enclosure", "#cc79a7", "square", "square"),
    Reason.NO_NEIGHBOUR: Look("no_neighbour", "No chain of neighbours", "#e69f00", "diamond", "diamond"),
    Reason.HOP_LIMIT: Look("hop_limit", "Too many hops", "#a58f00", "hexagon", "hexagon"),
    Reason.CAPACITY: Look("capacity", "Channel or site full", "#332288", "cross", "cross_fill"),
    Reason.DUTY_CYCLE: Look("duty_cycle", "Duty cycle used up", "#aa4499", "x", "cross2"),
    Reason.ATTENUATION: Look("attenuation", "Cable attenuation too high", "#c1272d", "triangle-up", "triangle"),
    Reason.NOISE: Look("noise", "Mains noise too high", "#f0a58f", "star", "star"),
    Reason.CROSS_PHASE: Look("cross_phase", "Lost between phases", "#661100", "bowtie", "half_square"),
    Reason.NO_TRANSFORMER: Look("no_transformer", "No transformer known", "#111111", "pentagon", "pentagon"),
    Reason.NO_CELL: Look("no_cell", "No operator coverage", "#0072b2", "diamond-tall", "diamond"),
    Reason.BACKHAUL: Look("backhaul", "Backhaul of the site down", "#56b4e9", "hourglass", "octagon"),
    Reason.NOT_ENERGISED: Look("not_energised", "Supply not energised", "#6b6b6b", "square-x", "square"),
    Reason.DATA_MISSING: Look("data_missing", "Input data missing or faulty", "#9a9a9a", "circle-x", "cross"),
}
BY_WORD: dict[str, Look] = {reason.label: look for reason, look in LOOKS.items() if reason is not Reason.NONE}

TECHNOLOGY_COLORS = ("#0072b2", "#e69f00", "#882255", "#56b4e9", "#d55e00", "#332288", "#8c6d1f", "#cc79a7")
"""Given to technologies in the order of the case file; the best-technology map and the cost chart share them."""
NOBODY_COLOR = "#8f959b"


@dataclass(frozen=True)
class Rule:
    """One line of a QGIS legend: label, filter expression, colour and shape; ``shown`` is its tick.

    ``equals`` says the same filter as column to value, for SLD; ``children`` make a group.
    """

    label: str
    expression: str
    color: str = "#000000"
    shape: str = "circle"
    size_mm: float = 2.0
    shown: bool = True
    equals: tuple[tuple[str, str], ...] = ()
    children: tuple[Rule, ...] = ()


def meter_rules(groups: Sequence[tuple[str, str, str]], services: Sequence[str]) -> tuple[Rule, ...]:
    """Rules of the meters layer: a group per scenario, technology and service, the first one ticked.

    groups : (scenario, technology, label) in the order of the report;  services : names.
    """
    rules: list[Rule] = []
    for scenario, technology, label in groups:
        for service in services:
            where = (("scenario", scenario), ("technology", technology), ("service", service))
            rules.append(Rule(f"{label}, {service}", _same(where), shown=not rules, children=_states(where)))
    return tuple(rules)


def _states(where: tuple[tuple[str, str], ...]) -> tuple[Rule, ...]:
    served = Rule("Served", '"served"', SERVED.color, SERVED.qgis_symbol, equals=(*where, ("served", "1")))
    reasons = [
        Rule(
            look.text,
            f'NOT "served" AND "reason" = \'{word}\'',
            look.color,
            look.qgis_symbol,
            2.4,
            equals=(*where, ("reason", word)),
        )
        for word, look in BY_WORD.items()
    ]
    return (served, *reasons)


def group_rules(groups: Sequence[tuple[str, str, str]], shape: str, size_mm: float) -> tuple[Rule, ...]:
    """Rules of the sites and links layers: one colour per scenario and technology, the first one ticked."""
    rules = []
    for i, (scenario, technology, label) in enumerate(groups):
        where = (("scenario", scenario), ("technology", technology))
        color = TECHNOLOGY_COLORS[i % len(TECHNOLOGY_COLORS)]
        rules.append(Rule(label, _same(where), color, shape, size_mm, shown=i == 0, equals=where))
    return tuple(rules)


def single_rule(label: str, color: str, shape: str = "circle", size_mm: float = 2.0) -> tuple[Rule, ...]:
    """One look for the whole layer."""
    return (Rule(label, "TRUE", color, shape, size_mm),)


CURE_LOOKS = {
    "repeater": ("#882255", "triangle"),
    "filter": ("#0072b2", "square"),
    "other_phase": ("#e69f00", "diamond"),
    "other_band": ("#332288", "star"),
}
"""Colour and QGIS shape of the computed cures, by their word."""


def cure_rules(words: Mapping[str, str]) -> tuple[Rule, ...]:
    """Rules of the proposed changes; ``words`` : plain words by kind."""
    return tuple(
        Rule(words[kind], _same((("cure", kind),)), color, shape, 3.2, equals=(("cure", kind),))
        for kind, (color, shape) in CURE_LOOKS.items()
    )


def severity_rules() -> tuple[Rule, ...]:
    """Rules of the audit layer: rows that are not used, and oddities of rows that are."""
    looks = (("listed", "Input row not used", "#c1272d", "cross2"), ("note", "Odd, but used", "#e69f00", "diamond"))
    return tuple(
        Rule(label, _same((("severity", word),)), color, shape, 2.6, equals=(("severity", word),))
        for word, label, color, shape in looks
    )


def _same(where: Sequence[tuple[str, str]]) -> str:
    return " AND ".join(f"\"{column}\" = '{_quoted(value)}'" for column, value in where)


def _quoted(text: str) -> str:
    return text.replace("'", "''")


def qml(layer: str, kind: str, rules: Sequence[Rule]) -> str:
    """A rule-based QGIS style; ``kind`` is marker, line or fill. The same rules give the same text."""
    symbols: list[str] = []
    body = "".join(_qml_rule(layer, kind, rule, str(i), symbols) for i, rule in enumerate(rules))
    return (
        "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
        '<qgis version="3.28.0" styleCategories="Symbology"><renderer-v2 type="RuleRenderer" symbollevels="0" '
        f'enableorderby="0" forceraster="0"><rules key="{_key(layer)}">{body}</rules>'
        f"<symbols>{''.join(symbols)}</symbols></renderer-v2></qgis>\n"
    )


def _qml_rule(layer: str, kind: str, rule: Rule, path: str, symbols: list[str]) -> str:
    look = ""
    if not rule.children:
        look = f' symbol="{len(symbols)}"'
        symbols.append(_qml_symbol(kind, rule, len(symbols)))
    inner = "".join(_qml_rule(layer, kind, child, f"{path}.{i}", symbols) for i, child in enumerate(rule.children))
    tick = "" if rule.shown else ' checkstate="0"'
    return (
        f'<rule key="{_key(f"{layer}/{path}")}" label={quoteattr(rule.label)} '
        f"filter={quoteattr(rule.expression)}{look}{tick}>{inner}</rule>"
    )


def _key(path: str) -> str:
    return "{" + str(uuid5(NAMESPACE_URL, f"amiplan/{path}")) + "}"


def _qml_symbol(kind: str, rule: Rule, number: int) -> str:
    solid, edge = _rgba(rule.color, 255), _rgba("#ffffff", 255)
    if kind == "marker":
        layer, options = "SimpleMarker", {
            "name": rule.shape, "color": solid, "size": f"{rule.size_mm:g}", "size_unit": "MM",
            "outline_color": edge, "outline_width": "0.1", "outline_width_unit": "MM", "outline_style": "solid",
        }  # fmt: skip
    elif kind == "line":
        layer, options = "SimpleLine", {
            "line_color": _rgba(rule.color, 140), "line_width": "0.2", "line_width_unit": "MM", "line_style": "solid",
        }  # fmt: skip
    else:
        layer, options = "SimpleFill", {
            "color": _rgba(rule.color, 30), "style": "solid", "outline_color": solid, "outline_style": "solid",
            "outline_width": "0.4", "outline_width_unit": "MM",
        }  # fmt: skip
    rows = "".join(f'<Option type="QString" name="{k}" value="{v}"/>' for k, v in options.items())
    return (
        f'<symbol type="{kind}" name="{number}" alpha="1" clip_to_extent="1" force_rhr="0">'
        f'<layer class="{layer}" enabled="1" pass="0" locked="0"><Option type="Map">{rows}</Option></layer></symbol>'
    )


def _rgba(color: str, alpha: int) -> str:
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return f"{red},{green},{blue},{alpha}"


def sld(layer: str, kind: str, rules: Sequence[Rule]) -> str:
    """The same look as a Styled Layer Descriptor, for programs other than QGIS; groups are flattened."""
    flat = [leaf for rule in rules for leaf in (rule.children or (rule,))]
    body = "".join(
        f"<Rule><Name>{escape(rule.label)}</Name>{_sld_filter(rule.equals)}{_sld_symbol(kind, rule)}</Rule>"
        for rule in flat
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<StyledLayerDescriptor version="1.0.0" '
        'xmlns="http://www.opengis.net/sld" xmlns:ogc="http://www.opengis.net/ogc"><NamedLayer>'
        f"<Name>{layer}</Name><UserStyle><FeatureTypeStyle>{body}</FeatureTypeStyle></UserStyle></NamedLayer>"
        "</StyledLayerDescriptor>\n"
    )


def _sld_filter(equals: Sequence[tuple[str, str]]) -> str:
    if not equals:
        return ""
    tests = "".join(
        f"<ogc:PropertyIsEqualTo><ogc:PropertyName>{column}</ogc:PropertyName>"
        f"<ogc:Literal>{escape(value)}</ogc:Literal></ogc:PropertyIsEqualTo>"
        for column, value in equals
    )
    return f"<ogc:Filter><ogc:And>{tests}</ogc:And></ogc:Filter>"


def _sld_symbol(kind: str, rule: Rule) -> str:
    fill = f'<Fill><CssParameter name="fill">{rule.color}</CssParameter></Fill>'
    stroke = f'<Stroke><CssParameter name="stroke">{rule.color}</CssParameter></Stroke>'
    if kind == "marker":
        return (
            f"<PointSymbolizer><Graphic><Mark><WellKnownName>circle</WellKnownName>{fill}</Mark>"
            f"<Size>{round(rule.size_mm * 3.5)}</Size></Graphic></PointSymbolizer>"
        )
    element = {"line": "LineSymbolizer", "fill": "PolygonSymbolizer"}[kind]
    return f"<{element}>{stroke}</{element}>"
