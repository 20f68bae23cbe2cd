"""The settings of a cost comparison: horizon, rate, currency, price base and the choices behind the quantities."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from ..channels.parameters import parameter
from .catalogue import Catalogue, CatalogueItem, nearest
from .cost_rules import ROLES
from .finance import TIMINGS

POINTS = ("mean", "mode")
JUDGEMENT = "our judgement"


@dataclass(frozen=True)
class Economics:
    """`[economics]` of the case file. Every field carries unit, meaning, source and limits as metadata.

    Raises ValueError for a value outside its limits, naming the field and the fix.
    """

    horizon_years: int = parameter(
        15, "year", "years of operation after commissioning", "usual in AMI business cases", minimum=1, maximum=40
    )
    real_discount_rate: float = parameter(
        0.05, "1/year", "real rate", "catalogue row wacc_real, mode", confidence="B", minimum=0.0, maximum=0.3
    )
    currency: str = parameter("EUR", "", "currency of the study, ISO 4217", "cost catalogue")
    price_year: int = parameter(2025, "year", "money of which year", "cost catalogue", minimum=1990, maximum=2100)
    point: str = parameter(
        "mean", "", "figure taken from a range: PERT mean (the expected cost) or mode", JUDGEMENT, confidence="C"
    )
    timing: str = parameter("end_year", "", "when a yearly bill is paid: end_year, mid_year, advance", "convention")
    include_meter: bool = parameter(True, "", "price the meter itself, the same for all technologies", "convention")
    overrides: Mapping[str, Any] = parameter({}, "", "the user's own catalogue figures by item_id", "user")
    choices: Mapping[str, str] = parameter({}, "", "another catalogue row for a role, role to item_id", "user")
    exchange_rates: Mapping[str, float] = parameter({}, "", "study currency per unit of another currency", "user")
    price_indices: Mapping[str, float] = parameter({}, "", "money of the study's year per money of year", "user")
    tax_ratio: float = parameter(
        0.0, "1", "tax taken out of prices that include it; 0 refuses such prices", "user", minimum=0.0, maximum=1.0
    )
    programme_meters: float = parameter(
        100_000, "meter", "programme that carries the lump sums; an area bears its share", JUDGEMENT,
        confidence="C", minimum=1,
    )  # fmt: skip
    noc_core_fte: float = parameter(
        4.0, "FTE", "fixed staff of an own network, per programme", "4 to 8, practitioners", confidence="C", minimum=0
    )
    noc_core_operator_fte: float = parameter(
        2.0, "FTE", "fixed staff where an operator runs the network, per programme", JUDGEMENT, confidence="C",
        minimum=0,
    )  # fmt: skip
    warranty_years: int = parameter(
        2, "year", "years in which failed hardware is free and only the visit is paid", JUDGEMENT, confidence="C",
        minimum=0,
    )  # fmt: skip
    manual_reads_per_year: float = parameter(
        12.0, "read/year", "reads of a meter that no network reaches", "monthly bill", confidence="C", minimum=0
    )
    meters_per_relay: float = parameter(
        3.0, "meter", "unserved meters that one added repeater or relay brings in", JUDGEMENT, confidence="C", minimum=1
    )
    data_plan_mb_per_year: float = parameter(
        12.0, "MB/year", "data included in the yearly price of a meter's SIM", "list prices at 1 MB a month",
        confidence="B", minimum=0,
    )  # fmt: skip
    backhaul_plan_mb_per_year: float = parameter(
        1200.0, "MB/year", "data included in the yearly price of a backhaul SIM", "list price at 100 MB a month",
        confidence="B", minimum=0,
    )  # fmt: skip
    firmware_mb: float = parameter(0.5, "MB", "size of a module's firmware image", JUDGEMENT, confidence="C", minimum=0)
    firmware_campaigns_per_year: float = parameter(
        1.0, "1/year", "firmware campaigns", "catalogue row fota_campaign", confidence="C", minimum=0
    )
    supplementary_technology: str = parameter(
        "lte_m", "", "what a meter gets whose remedy is a cellular module", JUDGEMENT, confidence="C"
    )
    battery_shape: float = parameter(
        8.0, "1", "Weibull shape of a battery's life", "fit to the Toronto fleet", confidence="B", minimum=0.5
    )
    battery_scale_years: float = parameter(
        13.3, "year", "Weibull scale of a battery's life", "fit to the Toronto fleet", confidence="B", minimum=1
    )

    def __post_init__(self) -> None:
        for item in fields(self):
            _check_limits(item.name, getattr(self, item.name), item.metadata)
        for name in ("horizon_years", "price_year", "warranty_years"):
            if not isinstance(getattr(self, name), int):
                raise ValueError(f"economics.{name} = {getattr(self, name)}: write a whole number of years")
        for name in ("overrides", "choices", "exchange_rates", "price_indices"):
            if not isinstance(getattr(self, name), Mapping):
                raise ValueError(f"economics.{name} = {getattr(self, name)!r}: write a table [economics.{name}]")
        for name, allowed in (("point", POINTS), ("timing", TIMINGS)):
            if getattr(self, name) not in allowed:
                raise ValueError(f"economics.{name} = {getattr(self, name)!r}: choose one of {', '.join(allowed)}")
        for name in ("exchange_rates", "price_indices"):
            for key, rate in getattr(self, name).items():
                if not (isinstance(rate, (int, float)) and 0 < rate < math.inf):
                    raise ValueError(f"economics.{name}.{key} = {rate!r}: a conversion is a positive number")

    def effective(self, catalogue: Catalogue) -> Catalogue:
        """The catalogue with the user's overrides in place.

        Everything that can be wrong before a plan exists is refused here with ValueError: overrides, choices, the
        supplementary technology, and prices that need a conversion of currency, year or tax that is not given.
        """
        changed = catalogue.with_overrides(self.overrides, self.currency)
        for item in changed:
            self.unit_price(item)
        for role, item_id in self.choices.items():
            if role not in ROLES:
                raise ValueError(f"economics.choices.{role} is no role{nearest(role, ROLES)}")
            if item_id not in changed.items:
                hint = nearest(item_id, changed.items)
                raise ValueError(f"economics.choices.{role} = {item_id!r} is not in the cost catalogue{hint}")
        known = sorted({name for item in changed for name in item.technologies})
        if self.supplementary_technology not in known:
            word = self.supplementary_technology
            raise ValueError(f"economics.supplementary_technology = {word!r} has no prices{nearest(word, known)}")
        return changed

    def point_value(self, item: CatalogueItem) -> float:
        """The figure of a row by ``point``, in the row's own currency and price year."""
        return item.mean if self.point == "mean" else item.mode

    def unit_price(self, item: CatalogueItem, years_ahead: float = 0.0) -> float:
        """Price of one unit in the study's currency and price year, ``years_ahead`` years after commissioning.

        Index first, exchange second, tax taken out, then the row's real escalation, compounded.
        Raises ValueError where a conversion is needed and not given.
        """
        price = self.point_value(item)
        if item.is_money:
            price *= self._index(item) * self._exchange(item) / self._tax(item)
        return float(price * (1.0 + item.real_escalation) ** years_ahead)

    def _index(self, item: CatalogueItem) -> float:
        if item.price_year == self.price_year:
            return 1.0
        indices = {str(key): value for key, value in self.price_indices.items()}
        if str(item.price_year) not in indices:
            raise ValueError(
                f"cost row {item.item_id} is in money of {item.price_year}, the study in money of {self.price_year}; "
                f'give economics.price_indices."{item.price_year}"'
            )
        return float(indices[str(item.price_year)])

    def _exchange(self, item: CatalogueItem) -> float:
        if item.currency == self.currency:
            return 1.0
        if item.currency not in self.exchange_rates:
            raise ValueError(
                f"cost row {item.item_id} is in {item.currency}, the study in {self.currency}: currencies are mixed; "
                f"give economics.exchange_rates.{item.currency} ({self.currency} per {item.currency})"
            )
        return float(self.exchange_rates[item.currency])

    def _tax(self, item: CatalogueItem) -> float:
        if item.tax_included and self.tax_ratio == 0.0:
            raise ValueError(f"cost row {item.item_id} includes tax; give economics.tax_ratio or a price without tax")
        return 1.0 + self.tax_ratio if item.tax_included else 1.0


def _check_limits(name: str, value: Any, notes: Mapping[str, Any]) -> None:
    low, high = notes.get("minimum"), notes.get("maximum")
    if low is None and high is None:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"economics.{name} = {value!r} is not a number; write a plain number in {notes['unit']}")
    if (low is not None and value < low) or (high is not None and value > high):
        limits = f"{'-inf' if low is None else low} to {'inf' if high is None else high}"
        raise ValueError(f"economics.{name} = {value}: allowed is {limits} {notes['unit']}")
