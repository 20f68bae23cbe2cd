"""The DLMS/COSEM codec: bytes to objects and back, with no meter behind it."""
