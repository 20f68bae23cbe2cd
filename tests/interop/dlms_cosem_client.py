"""A stranger's reading with dlms-cosem, run by the interpreter of a separate environment; prints one JSON object.

    python dlms_cosem_client.py SERVE.json METER_ID ROLE STEP ...

Steps: objects, registers, whole, range:FROM:TO (seconds since 1970 UTC), disconnect. Never imported by the tests.
"""

import json
import logging
import os
import sys
from datetime import UTC, datetime

import structlog
from dlms_cosem import cosem, enumerations, utils
from dlms_cosem.client import ActionError, DataResultError, DlmsClient
from dlms_cosem.cosem.capture_object import CaptureObject
from dlms_cosem.cosem.selective_access import RangeDescriptor
from dlms_cosem.io import BlockingTcpIO, TcpTransport
from dlms_cosem.parsers import AssociationObjectListParser, ProfileGenericBufferParser
from dlms_cosem.security import (
    HighLevelSecurityGmacAuthentication,
    LowLevelSecurityAuthentication,
    NoSecurityAuthentication,
)

structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
Kind = enumerations.CosemInterface
TIMEOUT_S = 20


def attribute(kind, name, number):
    return cosem.CosemAttribute(kind, cosem.Obis.from_string(name), number)


def client_of(entry, role):
    transport = TcpTransport(
        client_logical_address=entry["client_saps"][role],
        server_logical_address=entry["server_sap"],
        io=BlockingTcpIO(entry["host"], entry["port"], timeout=TIMEOUT_S),
        timeout=TIMEOUT_S,
    )
    if entry["security"] == "hls5" and role != "public":
        return DlmsClient(
            transport=transport,
            authentication=HighLevelSecurityGmacAuthentication(challenge_length=32),
            encryption_key=bytes.fromhex(entry["block_cipher_key"]),
            authentication_key=bytes.fromhex(entry["authentication_key"]),
            security_suite=entry["security_suite"],
            client_system_title=bytes.fromhex(entry["client_system_title"]),
            client_initial_invocation_counter=int(os.environ.get("COUNTER", "1")),
        )
    if entry["security"] == "lls" and role != "public":
        return DlmsClient(transport, LowLevelSecurityAuthentication(bytes.fromhex(entry["password"])))
    return DlmsClient(transport, NoSecurityAuthentication())


def objects(client):
    found = client.get(attribute(Kind.ASSOCIATION_LN, "0-0:40.0.0.255", 2))
    parsed = AssociationObjectListParser.parse_bytes(found)
    return [[int(one.interface), one.logical_name.to_string(separator="."), one.version] for one in parsed]


def registers(client):
    rows = []
    for kind, name, _ in objects(client):
        if kind == Kind.REGISTER:
            scaler, unit = utils.parse_as_dlms_data(client.get(attribute(Kind.REGISTER, name, 3)))
            raw = utils.parse_as_dlms_data(client.get(attribute(Kind.REGISTER, name, 2)))
            rows.append([name, raw * 10**scaler, 10**scaler, unit])
    return rows


def profile_rows(client, access=None):
    columns = utils.parse_as_dlms_data(client.get(attribute(Kind.PROFILE_GENERIC, "1-0:99.1.0.255", 3)))
    period_s = utils.parse_as_dlms_data(client.get(attribute(Kind.PROFILE_GENERIC, "1-0:99.1.0.255", 4)))
    captured = [cosem.CosemAttribute(Kind(one[0]), cosem.Obis.from_bytes(one[1]), one[2]) for one in columns]
    raw = client.get(attribute(Kind.PROFILE_GENERIC, "1-0:99.1.0.255", 2), access)
    rows = ProfileGenericBufferParser(captured, period_s // 60).parse_bytes(raw)
    return [[int(row[0].value.timestamp()), *(one.value for one in row[1:])] for row in rows]


def in_range(client, first, last):
    clock = CaptureObject(attribute(Kind.CLOCK, "0-0:1.0.0.255", 2))
    begin, end = (datetime.fromtimestamp(int(one), UTC) for one in (first, last))
    return profile_rows(client, RangeDescriptor(clock, begin, end))


def disconnect(client):
    name = "0-0:96.3.10.255"
    state = attribute(Kind.DISCONNECT_CONTROL, name, 3)
    before = utils.parse_as_dlms_data(client.get(state))
    client.action(cosem.CosemMethod(Kind.DISCONNECT_CONTROL, cosem.Obis.from_string(name), 1), b"\x0f\x00")
    return [before, utils.parse_as_dlms_data(client.get(state))]


STEPS = {
    "objects": objects,
    "registers": registers,
    "whole": profile_rows,
    "range": in_range,
    "disconnect": disconnect,
}


def main():
    path, meter_id, role, *steps = sys.argv[1:]
    with open(path, encoding="utf-8") as file:
        (entry,) = (one for one in json.load(file) if one["meter_id"] == meter_id)
    client, told = client_of(entry, role), {}
    with client.session():
        for step in steps:
            name, *arguments = step.split(":")
            try:
                told[step] = STEPS[name](client, *arguments)
            except (DataResultError, ActionError) as refused:
                told[step] = {"refused": str(refused)}
    told["counter"] = client.client_invocation_counter
    print(json.dumps(told))


if __name__ == "__main__":
    main()
