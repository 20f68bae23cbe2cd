"""What every COSEM interface object of a meter can do: be read, be written, have a method called.

References
----------
IEC 62056-6-2:2021, the notion of class, logical name, attribute and method.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Protocol

from ..dlms import axdr
from ..dlms.apdu import ActionResult, DataAccess
from ..dlms.axdr import Tag, Value
from ..dlms.obis import Obis

Reader = Callable[[Any], Value]
Writer = Callable[[Any, Value], None]
Action = Callable[[Any, Value], Value | None]
NOTHING: Mapping[int, Any] = MappingProxyType({})


class AccessError(ValueError):
    """An attribute that cannot be read or written; ``result`` is what the client is told."""

    def __init__(self, result: DataAccess) -> None:
        super().__init__(f"no access: {result.name.lower()}")
        self.result = result


class ActionError(ValueError):
    """A method that cannot be carried out; ``result`` is what the client is told."""

    def __init__(self, result: ActionResult) -> None:
        super().__init__(f"no action: {result.name.lower()}")
        self.result = result


class CosemObject(Protocol):
    """Anything with a class, a logical name, attributes and methods; rights are the server's business."""

    class_id: ClassVar[int]

    @property
    def version(self) -> int:
        """Version of the class."""
        ...

    @property
    def obis(self) -> Obis:
        """Logical name."""
        ...

    @property
    def attributes(self) -> tuple[int, ...]:
        """Numbers of all attributes, readable or not, rising from 1."""
        ...

    @property
    def methods(self) -> tuple[int, ...]:
        """Numbers of the methods that this object carries out, rising."""
        ...

    @property
    def selectors(self) -> Mapping[int, tuple[int, ...]]:
        """Selective access that an attribute offers: attribute number to selectors."""
        ...

    def attribute(self, number: int, selector: int = 0, parameters: Value = axdr.NULL) -> Value:
        """The attribute's value; AccessError where it cannot be given."""
        ...

    def write(self, number: int, value: Value) -> None:
        """Set an attribute; AccessError where it cannot be set, or not to this."""
        ...

    def invoke(self, method: int, parameters: Value | None = None) -> Value | None:
        """Carry out a method and give what it returns, if anything; ActionError where it cannot be done."""
        ...


class Interface:
    """An object whose class says, number by number, how attributes are read and written and what methods do.

    Unknown attributes, and attributes that cannot be read or written, are READ_WRITE_DENIED; a selector that an
    attribute does not offer is SCOPE_OF_ACCESS_VIOLATED; what has the wrong type is TYPE_UNMATCHED; methods that the
    object does not carry out are READ_WRITE_DENIED.
    """

    __slots__ = ("obis",)

    class_id: ClassVar[int]
    readers: ClassVar[Mapping[int, Reader]]
    writers: ClassVar[Mapping[int, Writer]] = NOTHING
    actions: ClassVar[Mapping[int, Action]] = NOTHING
    write_only: ClassVar[tuple[int, ...]] = ()
    selectors: ClassVar[Mapping[int, tuple[int, ...]]] = NOTHING

    def __init__(self, obis: Obis) -> None:
        self.obis = obis

    @property
    def version(self) -> int:
        """Version of the class."""
        return 0

    @property
    def attributes(self) -> tuple[int, ...]:
        """Numbers of all attributes, readable or not, rising from 1."""
        return tuple(sorted({1, *self.readers, *self.write_only}))

    @property
    def methods(self) -> tuple[int, ...]:
        """Numbers of the methods that this object carries out, rising."""
        return tuple(sorted(self.actions))

    def attribute(self, number: int, selector: int = 0, parameters: Value = axdr.NULL) -> Value:
        """The attribute's value; 1 is the logical name. AccessError where it cannot be given."""
        if number != 1 and number not in self.readers:
            raise AccessError(DataAccess.READ_WRITE_DENIED)
        if selector:
            return self.selected(number, selector, parameters)
        return axdr.octets(self.obis.octets) if number == 1 else self.readers[number](self)

    def selected(self, number: int, selector: int, parameters: Value) -> Value:
        """A part of an attribute; refused here, offered by classes with selective access."""
        raise AccessError(DataAccess.SCOPE_OF_ACCESS_VIOLATED)

    def write(self, number: int, value: Value) -> None:
        """Set an attribute; AccessError where it cannot be set, or not to this."""
        if number not in self.writers:
            raise AccessError(DataAccess.READ_WRITE_DENIED)
        try:
            self.writers[number](self, value)
        except AccessError:
            raise
        except ValueError as wrong:
            raise AccessError(DataAccess.TYPE_UNMATCHED) from wrong

    def invoke(self, method: int, parameters: Value | None = None) -> Value | None:
        """Carry out a method and give what it returns, if anything; ActionError where it cannot be done."""
        if method not in self.actions:
            raise ActionError(ActionResult.READ_WRITE_DENIED)
        try:
            return self.actions[method](self, axdr.NULL if parameters is None else parameters)
        except ActionError:
            raise
        except ValueError as wrong:
            raise ActionError(ActionResult.TYPE_UNMATCHED) from wrong


def typed(value: Value, tag: Tag) -> Any:
    """What a value holds if it has the type ``tag``; ValueError for any other type."""
    if value.tag is not tag:
        raise ValueError(f"expected {tag.name.lower()}, found {value.tag.name.lower()}: send that type")
    return value.content


def members(value: Value, n_members: int) -> tuple[Value, ...]:
    """The members of a structure of ``n_members``; ValueError for anything else."""
    found: tuple[Value, ...] = typed(value, Tag.STRUCTURE)
    if len(found) != n_members:
        raise ValueError(f"a structure of {len(found)} members: {n_members} are needed")
    return found
