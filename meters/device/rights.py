"""Who may read, write and do what: the four clients of a meter, and one table.

The table is a choice of ours after common companion specifications (confidence C). What the object list of an
association says and what the server enforces both come from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum
from functools import lru_cache

from ..dlms.obis import ASSOCIATION, CLOCK, LOGICAL_DEVICE_NAME, Obis

READ, WRITE, INVOKE = "read", "write", "invoke"
KINDS = (READ, WRITE, INVOKE)


class Role(IntEnum):
    """A client of the meter; the value is its service access point."""

    PUBLIC = 16
    MANAGEMENT = 1
    READER = 2
    FIRMWARE = 3

    @property
    def sap(self) -> int:
        """Service access point: wrapper port or HDLC client address."""
        return int(self.value)

    @property
    def association(self) -> Obis:
        """Logical name of the role's own association object, beside 0-0:40.0.0 for the current one."""
        return ASSOCIATION._replace(e=_ASSOCIATION_E[self])

    @property
    def invocation_counter(self) -> Obis:
        """Logical name of the object that holds the last invocation counter seen from this role."""
        return Obis(0, 0, 43, 1, self.sap)

    @classmethod
    def of_sap(cls, sap: int) -> Role | None:
        """The role behind a service access point; None for a client that the meter does not know."""
        return _ROLES.get(sap)


_ROLES = {role.value: role for role in Role}
_ASSOCIATION_E = {Role.PUBLIC: 1, Role.MANAGEMENT: 2, Role.READER: 3, Role.FIRMWARE: 4}


class Some(Enum):
    """All numbers, all names."""

    ALL = "all"


ALL = Some.ALL
Numbers = tuple[int, ...] | Some


@dataclass(frozen=True)
class Rule:
    """What one role may do with one object (``name``), with a group of them (a prefix A-D) or with a whole class."""

    class_id: int | Some
    name: Obis | tuple[int, ...] | Some
    read: Numbers = ()
    write: Numbers = ()
    invoke: Numbers = ()

    def covers(self, class_id: int, obis: Obis) -> bool:
        """Whether the rule speaks about this object."""
        if self.class_id is not ALL and self.class_id != class_id:
            return False
        return isinstance(self.name, Some) or tuple(obis)[: len(self.name)] == tuple(self.name)

    def grants(self, number: int, kind: str) -> bool:
        """Whether the rule lets an attribute be read or written, or a method be invoked."""
        numbers: Numbers = {READ: self.read, WRITE: self.write, INVOKE: self.invoke}[kind]
        return isinstance(numbers, Some) or number in numbers


COUNTERS, DEVICE_IDS, ASSOCIATIONS, SECURITY_SETUPS = (0, 0, 43, 1), (0, 0, 96, 1), (0, 0, 40, 0), (0, 0, 43, 0)

#        class  object               attributes read  written          methods
_COMMON = (
    Rule(1, LOGICAL_DEVICE_NAME, ALL),
    Rule(8, CLOCK, ALL),
    Rule(17, ALL, ALL),
)
TABLE: dict[Role, tuple[Rule, ...]] = {
    Role.PUBLIC: (
        *_COMMON,
        Rule(15, ASSOCIATION, ALL),
        Rule(1, COUNTERS, ALL),
        Rule(64, SECURITY_SETUPS, (1, 5)),
    ),
    Role.READER: (
        Rule(ALL, ALL, ALL),
        Rule(15, ASSOCIATION, ALL, (), (1,)),
    ),
    Role.MANAGEMENT: (
        Rule(ALL, ALL, ALL),
        Rule(15, ASSOCIATION, ALL, (), (1,)),
        Rule(15, ASSOCIATIONS, ALL, (7,), ()),
        Rule(8, CLOCK, ALL, (2,), (1, 2, 3, 6)),
        Rule(1, (0, 0, 97, 98, 0), ALL, (2,), ()),
        Rule(4, ALL, ALL, (), (1,)),
        Rule(7, ALL, ALL, (), (1,)),
        Rule(9, ALL, ALL, (), (1,)),
        Rule(40, ALL, ALL, (3, 4, 5, 6, 7), ()),
        Rule(64, ALL, ALL, (), (1, 2)),
        Rule(70, ALL, ALL, (4,), (1, 2)),
        Rule(71, ALL, ALL, (4, 5, 6, 7), ()),
    ),
    Role.FIRMWARE: (
        *_COMMON,
        Rule(15, ASSOCIATION, ALL, (), (1,)),
        Rule(18, ALL, ALL, (5,), (1, 2, 3, 4)),
    ),
}
SECRETS = frozenset({(15, 7)})
"""(class, attribute) that nobody may read."""


@lru_cache(maxsize=4096)
def allowed(role: Role, class_id: int, obis: Obis, number: int, kind: str) -> bool:
    """Whether a role may read (``read``) or write (``write``) an attribute or invoke (``invoke``) a method.

    Raises ValueError for another ``kind``. Number 1, the logical name, is readable wherever anything is.
    """
    if kind not in KINDS:
        raise ValueError(f"kind {kind!r}: use one of {', '.join(KINDS)}")
    if kind == READ and (class_id, number) in SECRETS:
        return False
    rules = [rule for rule in TABLE[role] if rule.covers(class_id, obis)]
    if kind == READ and number == 1:
        return bool(rules)
    return any(rule.grants(number, kind) for rule in rules)


def visible(role: Role, class_id: int, obis: Obis) -> bool:
    """Whether an object stands in the object list of a role."""
    return allowed(role, class_id, obis, 1, READ)
