"""A stranger's reading with gurux-dlms, run by the interpreter of a separate environment; prints one JSON object.

    python gurux_client.py SERVE.json METER_ID ROLE STEP ...

Steps: objects, registers, whole, entry:FIRST:COUNT, range:FROM:TO (seconds since 1970 UTC), list, clock[:WORD],
disconnect, get:CLASS:OBIS:ATTRIBUTE. What is refused is told as {"refused": reason}. Never imported by the tests.
"""

import json
import os
import socket
import sys
import time
from datetime import UTC, datetime

os.environ["TZ"] = "UTC"
time.tzset()

from gurux_dlms import GXByteBuffer, GXDateTime, GXDLMSException, GXReplyData  # noqa: E402
from gurux_dlms.enums import Authentication, DataType, InterfaceType, ObjectType, Security  # noqa: E402
from gurux_dlms.GXDLMSClient import GXDLMSClient  # noqa: E402
from gurux_dlms.objects import GXDLMSProfileGeneric  # noqa: E402
from gurux_dlms.objects.enums import SecuritySuite  # noqa: E402
from gurux_dlms.secure import GXDLMSSecureClient  # noqa: E402

TIMEOUT_S = 20.0


class Reader:
    """One connection, one association."""

    def __init__(self, entry, role, counter):
        self.n_messages = 0
        hdlc = entry["framing"] == "hdlc"
        hls = entry["security"] == "hls5" and role != "public"
        lls = entry["security"] == "lls" and role != "public"
        server = entry["server_sap"]
        if hdlc and entry["hdlc_server_address_bytes"] > 1:
            size = entry["hdlc_server_address_bytes"]
            server = GXDLMSClient.getServerAddress(server, entry["hdlc_physical_address"], size)
        kind = Authentication.HIGH_GMAC if hls else Authentication.LOW if lls else Authentication.NONE
        self.client = GXDLMSSecureClient(
            True,
            entry["client_saps"][role],
            server,
            kind,
            bytes.fromhex(entry["password"]) if lls else None,
            InterfaceType.HDLC if hdlc else InterfaceType.WRAPPER,
        )
        if hdlc and entry["hdlc_server_address_bytes"] > 1:
            self.client.serverAddressSize = entry["hdlc_server_address_bytes"]
        if hls:
            cipher = self.client.ciphering
            cipher.security = Security.AUTHENTICATION_ENCRYPTION
            cipher.securitySuite = SecuritySuite(entry["security_suite"])
            cipher.systemTitle = bytes.fromhex(entry["client_system_title"])
            cipher.blockCipherKey = bytes.fromhex(entry["block_cipher_key"])
            cipher.authenticationKey = bytes.fromhex(entry["authentication_key"])
            cipher.invocationCounter = counter
        self.hls = hls
        self.socket = socket.create_connection((entry["host"], entry["port"]), timeout=TIMEOUT_S)

    def open(self):
        request = self.client.snrmRequest()
        if request:
            self.client.parseUAResponse(self.ask(request).data)
        self.client.parseAareResponse(self.ask(self.client.aarqRequest()).data)
        if self.client.getIsAuthenticationRequired():
            answer = self.ask(self.client.getApplicationAssociationRequest())
            self.client.parseApplicationAssociationResponse(answer.data)

    def close(self):
        if self.client.interfaceType == InterfaceType.WRAPPER or self.hls:
            self.ask(self.client.releaseRequest())
        request = self.client.disconnectRequest()
        if request:
            self.ask(request)
        self.socket.close()

    def ask(self, request):
        """All messages of a request, and all of its answer."""
        reply = GXReplyData()
        for message in request if isinstance(request, list) else [request]:
            reply.clear()
            self._turn(message, reply)
            while reply.isMoreData():
                self._turn(self.client.receiverReady(reply), reply)
        return reply

    def _turn(self, message, reply):
        self.n_messages += 1
        if message is not None:
            self.socket.sendall(bytes(message))
        received, notify = GXByteBuffer(), GXReplyData()
        reply.error = 0
        while True:
            piece = self.socket.recv(65536)
            if not piece:
                raise ConnectionError("the meter closed the connection")
            received.set(piece)
            if self.client.getData(received, reply, notify):
                break
        if reply.error:
            raise GXDLMSException(reply.error)

    def read(self, item, attribute):
        reply = self.ask(self.client.read(item, attribute))
        return self.client.updateValue(item, attribute, reply.value)

    # -- steps -----------------------------------------------------------------------------------------------------

    def objects(self):
        reply = self.ask(self.client.getObjectsRequest())
        self.found = self.client.parseObjects(reply.data, False, False)
        return [[int(one.objectType), one.logicalName, int(one.version)] for one in self.found]

    def registers(self):
        rows = []
        for item in self.found.getObjects(ObjectType.REGISTER):
            self.read(item, 3)
            value = self.read(item, 2)
            rows.append([item.logicalName, value, item.scaler, int(item.unit)])
        return rows

    def profile(self):
        item = GXDLMSProfileGeneric("1.0.99.1.0.255")
        self.read(item, 3)
        self.read(item, 4)  # the period fills in times that are left out
        return item

    def whole(self):
        item = self.profile()
        self.read(item, 2)
        return rows_of(item)

    def entry(self, first, count):
        item = self.profile()
        reply = self.ask(self.client.readRowsByEntry(item, int(first), int(count)))
        self.client.updateValue(item, 2, reply.value)
        return rows_of(item)

    def range(self, first, last):
        item = self.profile()
        begin, end = (GXDateTime(datetime.fromtimestamp(int(one), UTC)) for one in (first, last))
        reply = self.ask(self.client.readRowsByRange(item, begin, end))
        self.client.updateValue(item, 2, reply.value)
        return rows_of(item)

    def list(self):
        items = [(one, 2) for one in list(self.found.getObjects(ObjectType.REGISTER))[:4]]
        for item, _ in items:
            self.read(item, 3)
        reply = self.ask(self.client.readList(items)[0])
        self.client.updateValues(items, reply.value)
        return [[one.logicalName, one.value] for one, _ in items]

    def clock(self, word=""):
        (item,) = self.found.getObjects(ObjectType.CLOCK)
        return seconds(self.read(item, 2))

    def disconnect(self):
        (item,) = self.found.getObjects(ObjectType.DISCONNECT_CONTROL)
        before = [bool(self.read(item, 2)), int(self.read(item, 3))]
        self.ask(self.client.method(item, 1, 0, DataType.INT8))
        return [before, [bool(self.read(item, 2)), int(self.read(item, 3))]]

    def get(self, class_id, name, attribute):
        item = GXDLMSClient.createObject(ObjectType(int(class_id)))
        item.logicalName = name
        value = self.read(item, int(attribute))
        return value if isinstance(value, (int, float, str, bool, type(None))) else str(value)


def seconds(moment):
    value = moment.value
    return int((value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp())


def rows_of(item):
    return [[seconds(when), *values] for when, *values in item.buffer]


def main():
    path, meter_id, role, *steps = sys.argv[1:]
    with open(path, encoding="utf-8") as file:
        (entry,) = (one for one in json.load(file) if one["meter_id"] == meter_id)
    told = {}
    reader = Reader(entry, role, int(os.environ.get("COUNTER", "1")))
    reader.open()
    for step in steps:
        name, *arguments = step.split(":")
        try:
            told[step] = getattr(reader, name)(*arguments)
        except GXDLMSException as refused:
            told[step] = {"refused": int(refused.errorCode)}
    reader.close()
    told["n_messages"] = reader.n_messages
    if reader.hls:
        told["counter"] = reader.client.ciphering.invocationCounter
    print(json.dumps(told))


if __name__ == "__main__":
    main()
