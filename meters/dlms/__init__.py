"""The DLMS/COSEM codec: bytes to objects and back, with no meter behind it."""

from . import axdr
from .apdu import Apdu, Attribute, DataAccess, Method
from .apdu import decode as decode_apdu
from .apdu import encode as encode_apdu
from .axdr import Tag, Value
from .axdr import decode as decode_value
from .axdr import encode as encode_value
from .obis import Obis

__all__ = [
    "Apdu",
    "Attribute",
    "DataAccess",
    "Method",
    "Obis",
    "Tag",
    "Value",
    "axdr",
    "decode_apdu",
    "decode_value",
    "encode_apdu",
    "encode_value",
]
