"""The cost catalogue: prices, rates and shares as rows, each with range, currency, price year, source and confidence.

The default rows stand in ``data/cost_catalogue.csv``. A user's figure replaces a row by its ``item_id`` and is
marked ``user``. Which row a technology pays is said by the column ``technology``, never by code.
"""

from __future__ import annotations

import csv
import difflib
import io
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files
from typing import Any

from .finance import pert_mean

CATEGORY_LABELS: dict[int, str] = {
    1: "Meter",
    2: "Communication module",
    3: "External antenna",
    4: "Concentrator, gateway or collector",
    5: "Repeater or relay",
    6: "Site works and permits",
    7: "Site rental",
    8: "Device power supply",
    9: "Backhaul",
    10: "SIM and data plan",
    11: "Network server",
    12: "Spectrum",
    13: "Installation visits",
    14: "Head-end and meter data systems",
    15: "Integration",
    16: "Network operations",
    17: "Failures and truck rolls",
    18: "Replacement at end of life",
    19: "Network sunset",
    20: "Firmware campaigns",
    21: "Cybersecurity",
    22: "Energy",
    23: "Manual reading",
    24: "Supplementary communication",
    25: "Project management and contingency",
    26: "Decommissioning and stranded value",
    27: "Finance and contract",
}
"""Chart of accounts, after the categories of the catalogue's column ``category``."""

UNITS = ("meter", "device", "site", "visit", "read", "MB", "programme", "FTE", "share", "ratio")
"""Units of a row; with the suffix ``_yr`` they recur every year."""

CONFIDENCES = ("A", "B", "C", "user")
COMMON = "common"
NO_CURRENCY = "-"
PRICE_KEYS = ("low", "mode", "high")
OVERRIDE_KEYS = ("value", *PRICE_KEYS, "currency", "price_year", "tax_incl", "life_y", "real_escalation", "source")


@dataclass(frozen=True)
class CatalogueItem:
    """One row of the catalogue.

    low, mode, high : range in ``currency`` per ``unit``, or a share or ratio (currency ``-``).
    dist : ``pert`` or ``fixed``.
    life_years : technical or service life [years]; None where nothing is renewed.
    real_escalation : yearly change of the price beyond inflation [1]; negative for electronics.
    confidence : A a bound or the mode was seen in a named source, B recalled, C judgement, user the user's own.
    """

    item_id: str
    category: int
    technologies: tuple[str, ...]
    unit: str
    low: float
    mode: float
    high: float
    dist: str
    currency: str
    price_year: int
    region: str
    tax_included: bool
    life_years: float | None
    real_escalation: float
    source: str
    source_year: str
    confidence: str
    note: str

    @property
    def mean(self) -> float:
        """Mean of the range: PERT, or the mode of a fixed value."""
        return self.mode if self.dist == "fixed" else pert_mean(self.low, self.mode, self.high)

    @property
    def recurring(self) -> bool:
        """True where the unit recurs every year."""
        return self.unit.endswith("_yr")

    @property
    def is_money(self) -> bool:
        """True for prices, False for shares and ratios."""
        return self.currency != NO_CURRENCY

    def serves(self, technology: str) -> bool:
        """True where the row holds for the technology or for all."""
        return COMMON in self.technologies or technology in self.technologies


@dataclass(frozen=True)
class Catalogue:
    """All rows by ``item_id``, in the order of the file."""

    items: Mapping[str, CatalogueItem]

    def __iter__(self) -> Iterator[CatalogueItem]:
        return iter(self.items.values())

    def item(self, item_id: str) -> CatalogueItem:
        """The row of that name. Raises ValueError with the nearest known name."""
        if item_id not in self.items:
            raise ValueError(f"item_id {item_id!r} is not in the cost catalogue{nearest(item_id, self.items)}")
        return self.items[item_id]

    def find(self, category: int, technology: str, unit: str) -> CatalogueItem | None:
        """First row, in the order of the file, of that category and unit that names the technology itself."""
        for item in self:
            if item.category == category and item.unit == unit and technology in item.technologies:
                return item
        return None

    def require(self, category: int, technology: str, unit: str) -> CatalogueItem:
        """As `find`. Raises ValueError naming the technology where the row is missing."""
        item = self.find(category, technology, unit)
        if item is None:
            raise ValueError(
                f"the cost catalogue has no row of category {category} ({CATEGORY_LABELS[category].lower()}) in unit "
                f"{unit!r} for technology {technology!r}; add one, or add the technology to an existing row"
            )
        return item

    def with_overrides(self, overrides: Mapping[str, Any], study_currency: str = "EUR") -> Catalogue:
        """The catalogue with the user's rows in place, marked ``user``.

        Parameters
        ----------
        overrides
            item_id to a number (a firm price), or to a table with the keys ``OVERRIDE_KEYS``: ``value`` is a firm
            price, ``low, mode, high`` change the range and are checked together with what stays.
        study_currency
            A price without ``currency`` is understood only where the row is in this currency.

        Raises ValueError naming row and key: unknown row or key, negative or endless price, order of the range,
        missing currency, tax or life that cannot be.
        """
        items = dict(self.items)
        for item_id, change in overrides.items():
            items[item_id] = _overridden(self.item(item_id), change, study_currency)
        return Catalogue(items)


@lru_cache(maxsize=1)
def default_catalogue() -> Catalogue:
    """The catalogue that comes with the product: EUR of 2025 without tax."""
    text = files(__package__).joinpath("data/cost_catalogue.csv").read_text(encoding="utf-8")
    return read_catalogue(text)


def read_catalogue(text: str) -> Catalogue:
    """A catalogue from CSV text with the columns of the default one.

    Raises ValueError naming row and column for a value that cannot be, a missing column or a second row of one name.
    """
    rows = list(csv.DictReader(io.StringIO(text)))
    items: dict[str, CatalogueItem] = {}
    for row in rows:
        item = _parsed(row)
        if item.item_id in items:
            raise ValueError(f"cost catalogue: item_id {item.item_id!r} stands twice; keep one row")
        items[item.item_id] = item
    if not items:
        raise ValueError("the cost catalogue has no rows; give a CSV with a header line and at least one row")
    return Catalogue(items)


def nearest(word: str, known: Iterable[str]) -> str:
    """The tail ``; did you mean 'x'?`` of an error message, empty where nothing is near."""
    close = difflib.get_close_matches(str(word), list(known), n=1, cutoff=0.4)
    return f"; did you mean {close[0]!r}?" if close else ""


def _parsed(row: Mapping[str, str]) -> CatalogueItem:
    name = row.get("item_id") or "?"
    try:
        item = CatalogueItem(
            item_id=row["item_id"],
            category=int(row["category"]),
            technologies=tuple(row["technology"].split("|")),
            unit=row["unit"],
            low=float(row["low"]),
            mode=float(row["mode"]),
            high=float(row["high"]),
            dist=row["dist"],
            currency=row["currency"],
            price_year=int(row["price_year"]),
            region=row["region"],
            tax_included=row["tax_incl"] == "yes",
            life_years=float(row["life_y"]) if row["life_y"] else None,
            real_escalation=float(row["real_escalation"] or 0.0),
            source=row["source"],
            source_year=row["source_year"],
            confidence=row["confidence"],
            note=row["note"],
        )
    except KeyError as error:
        raise ValueError(f"cost catalogue: column {error} is missing; keep the header of the default one") from None
    except (TypeError, ValueError) as error:
        raise ValueError(f"cost catalogue row {name}: {error}; write a plain number") from None
    return _checked(item, f"cost catalogue row {name}")


def _checked(item: CatalogueItem, where: str) -> CatalogueItem:
    for key in PRICE_KEYS:
        number = getattr(item, key)
        if not math.isfinite(number) or number < 0:
            raise ValueError(f"{where} {key} = {number}: a price, share or ratio cannot be negative or endless; fix it")
    if not item.low <= item.mode <= item.high:
        raise ValueError(
            f"{where}: low = {item.low}, mode = {item.mode}, high = {item.high} are not in rising order; "
            "give `value` for a firm figure or all three"
        )
    if item.unit in ("share", "share_yr") and item.high >= 1.0:
        raise ValueError(f"{where} high = {item.high}: a share lies from 0 to below 1; write 5 % as 0.05")
    if item.unit.removesuffix("_yr") not in UNITS:
        raise ValueError(f"{where} unit = {item.unit!r} is unknown{nearest(item.unit, UNITS)}")
    if item.category not in CATEGORY_LABELS:
        raise ValueError(f"{where} category = {item.category}: choose 1 to {max(CATEGORY_LABELS)}")
    if item.confidence not in CONFIDENCES or item.dist not in ("pert", "fixed"):
        raise ValueError(f"{where}: confidence must be one of {', '.join(CONFIDENCES)} and dist pert or fixed")
    if item.life_years is not None and not 0 < item.life_years < math.inf:
        raise ValueError(f"{where} life_y = {item.life_years}: a life is positive; leave it empty for no renewal")
    if not -0.5 < item.real_escalation < 0.5:
        raise ValueError(f"{where} real_escalation = {item.real_escalation}: write 2 % a year as 0.02")
    return item


def _overridden(item: CatalogueItem, change: Any, study_currency: str) -> CatalogueItem:
    where = f"[economics.overrides.{item.item_id}]"
    if item.item_id == "wacc_real":
        raise ValueError(f"{where} would act nowhere: set economics.real_discount_rate instead")
    table = change if isinstance(change, Mapping) else {"value": change}
    for key in table:
        if key not in OVERRIDE_KEYS:
            raise ValueError(f"{where} key {key!r} is unknown{nearest(key, OVERRIDE_KEYS)}")
    if not table:
        raise ValueError(f"{where} is empty: give `value`, or low, mode and high")
    _check_currency(item, table, where, study_currency)
    firm, escalation = _number(table, "value", where), _number(table, "real_escalation", where)
    low, mode, high = (_price(table, key, firm, getattr(item, key), where) for key in PRICE_KEYS)
    changed = replace(
        item,
        low=low,
        mode=mode,
        high=high,
        dist="fixed" if firm is not None else "pert",
        currency=str(table.get("currency", item.currency)),
        price_year=int(_number(table, "price_year", where) or item.price_year),
        tax_included=bool(table.get("tax_incl", item.tax_included)),
        life_years=_number(table, "life_y", where) if "life_y" in table else item.life_years,
        real_escalation=item.real_escalation if escalation is None else escalation,
        source=str(table.get("source", "user")),
        confidence="user",
    )
    return _checked(changed, where)


def _check_currency(item: CatalogueItem, table: Mapping[str, Any], where: str, study_currency: str) -> None:
    priced = [key for key in ("value", *PRICE_KEYS) if key in table]
    currency = table.get("currency")
    if not item.is_money:
        if currency not in (None, NO_CURRENCY):
            raise ValueError(
                f"{where} currency = {currency!r}: this row is a share or ratio and has none; drop the key"
            )
        return
    if priced and currency is None and item.currency != study_currency:
        raise ValueError(
            f"{where} {priced[0]} has no currency, the row is in {item.currency} and the study in {study_currency}; "
            "add currency"
        )
    complete = "value" in table or set(PRICE_KEYS) <= set(table)
    if currency not in (None, item.currency) and not complete:
        raise ValueError(
            f"{where} currency = {currency!r} would mix with the {item.currency} figures that stay in the row; "
            "give `value`, or low, mode and high"
        )


def _price(table: Mapping[str, Any], key: str, firm: float | None, standing: float, where: str) -> float:
    given = _number(table, key, where)
    if firm is not None and given is not None:
        raise ValueError(f"{where} has both value and {key}: `value` is a firm figure; keep one of the two")
    return next(number for number in (given, firm, standing) if number is not None)


def _number(table: Mapping[str, Any], key: str, where: str) -> float | None:
    given = table.get(key)
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, (int, float)) or not math.isfinite(given):
        raise ValueError(f"{where} {key} = {given!r} is not a number; write a plain number")
    if key != "real_escalation" and given < 0:
        raise ValueError(f"{where} {key} = {given}: cannot be negative; give 0 or more")
    return float(given)
