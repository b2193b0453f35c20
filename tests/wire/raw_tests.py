"""Bytes no driver sends, and what drivers hide."""

import struct
import time

import bson
from bson import Int64, ObjectId, Timestamp

import raw_client as raw
from checks import equal, fails, test, true

PING = {"ping": 1, "$db": "admin"}
HELLO = {"hello": 1, "$db": "admin"}
METADATA = {"driver": {"name": "raw", "version": "1"}, "os": {"type": "Linux"}}


def check_closes(context, data, what):
    with raw.RawClient(context.wire_port) as client:
        client.send(data)
        true(client.is_closed_by_server(), f"the connection ends after {what}")


def check_answers(context, data, code, what):
    """The error is answered, and the connection goes on."""
    with raw.RawClient(context.wire_port) as client:
        equal(client.ask(data).code, code, what)
        equal(client.command(PING).document["ok"], 1.0, f"ping after {what}")


def client_reply(context, command):
    with raw.RawClient(context.wire_port) as client:
        return client.command(command)


@test
def junk_ends_its_connection_only(context):
    check_closes(context, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP")
    check_closes(context, bytes(range(256)) * 4, "noise")
    for length in (0, 15, -1, -(2**31), 48000001, 2**31 - 1):
        check_closes(context, raw.header(length, 1, raw.OP_MSG), f"length {length}")
    for op_code in (0, 1, 2001, 2002, 2005, 2006, 2007, 2010, 2011, 9999, -1):
        check_closes(context, raw.message(op_code, b"\0" * 32), f"operation {op_code}")


@test
def a_connection_that_ends_half_way_does_no_harm(context):
    whole = raw.op_msg(raw.body({"insert": "c", "documents": [{"a": 1}], "$db": context.name}))
    for size in range(1, len(whole), 7):
        with raw.RawClient(context.wire_port) as client:
            client.send(whole[:size])
    with raw.RawClient(context.wire_port) as client:
        client.send(raw.header(48000000, 1, raw.OP_MSG) + b"\0" * 100000)
    equal(context.client[context.name].c.count_documents({}), 0)


@test
def pieces_and_pipelined_messages_are_put_together(context):
    with raw.RawClient(context.wire_port) as client:
        for byte in raw.op_msg(raw.body(PING)):
            client.send(bytes([byte]))
        equal(client.receive().document["ok"], 1.0)
        client.send(b"".join(raw.op_msg(raw.body(PING), request_id=number) for number in range(50)))
        equal([client.receive().response_to for _ in range(50)], list(range(50)))


@test
def a_message_has_one_body_and_known_sections(context):
    ping = raw.body(PING)
    check_answers(context, raw.op_msg(ping + ping), 40430, "two bodies")
    check_answers(context, raw.op_msg(b""), 40587, "no body")
    check_answers(context, raw.op_msg(ping + b"\7"), 40432, "an unknown kind")
    check_answers(context, raw.op_msg(ping + raw.sequence("a", []) * 2), 40431, "two of a name")
    check_answers(context, raw.op_msg(ping + raw.sequence("ping", [])), 40433, "a name of the body")
    check_answers(context, raw.op_msg(raw.body({"ping": 1})), 40571, "no database")
    check_answers(context, raw.op_msg(raw.body({"ping": 1, "$db": 1})), 14, "a numeric database")
    check_answers(context, raw.op_msg(raw.body({"$db": "admin", "ping": 1})), 59, "$db as the name")
    three = ping + raw.sequence("a", []) + raw.sequence("b", []) + raw.sequence("c", [])
    check_closes(context, raw.op_msg(three), "three sequences")


@test
def bad_bson_is_refused_and_the_connection_goes_on(context):
    good = raw.body(PING)
    for length in (0, 4, len(good), len(good) + 100, 2**31 - 1, -5):
        check_answers(context, raw.op_msg(good[:1] + struct.pack("<i", length) + good[5:]), 22,
                      f"a body of length {length}")
    check_answers(context, raw.op_msg(good[:5] + b"\x99" + good[6:]), 22, "an unknown type")
    check_answers(context, raw.op_msg(good[:-1] + b"\1"), 22, "a body without its end")
    deep = {}
    for _ in range(300):
        deep = {"a": deep}
    check_answers(context, raw.op_msg(raw.body({"ping": 1, "comment": deep, "$db": "admin"})), 15,
                  "too deep a document")
    insert = raw.body({"insert": "c", "$db": context.name})
    documents = raw.sequence("documents", [{"a": "text"}])
    check_answers(context, raw.op_msg(insert + documents.replace(b"\5\0\0\0text", b"\xff\0\0\0text")), 22,
                  "a bad string in a sequence")
    equal(context.client[context.name].c.count_documents({}), 0)


@test
def checksums_are_verified(context):
    with raw.RawClient(context.wire_port) as client:
        equal(client.ask(raw.with_checksum(raw.body(PING))).document["ok"], 1.0)
    check_closes(context, raw.with_checksum(raw.body(PING), damage=1), "a wrong checksum")


@test
def unknown_required_flags_end_the_connection(context):
    for bit in range(2, 16):
        check_closes(context, raw.op_msg(raw.body(PING), flags=1 << bit), f"flag {bit}")
    with raw.RawClient(context.wire_port) as client:
        for bit in range(17, 32):
            equal(client.command(PING, flags=1 << bit).document["ok"], 1.0, f"flag {bit}")


@test
def requests_with_more_to_come_get_no_answer(context):
    insert = {"insert": "c", "documents": [{"_id": 1}], "writeConcern": {"w": 0}, "$db": context.name}
    with raw.RawClient(context.wire_port) as client:
        client.send(raw.op_msg(raw.body(insert), flags=raw.MORE_TO_COME, request_id=1))
        client.send(raw.op_msg(raw.body(insert), flags=raw.MORE_TO_COME, request_id=2))
        client.send(raw.op_msg(raw.body({"nonsense": 1, "$db": "d"}), flags=raw.MORE_TO_COME, request_id=3))
        equal(client.command(PING, request_id=4).response_to, 4)
        count = client.command({"count": "c", "$db": context.name})
        equal(count.document["n"], 1)


@test
def replies_carry_times_and_their_request(context):
    with raw.RawClient(context.wire_port) as client:
        first = client.command({"insert": "c", "documents": [{}], "$db": context.name}, request_id=77)
        second = client.command({"nonsense": 1, "$db": context.name}, request_id=78)
    equal((first.response_to, second.response_to), (77, 78))
    true(second.request_id > first.request_id, "growing request ids")
    equal(list(first.document), ["n", "ok", "$clusterTime", "operationTime"])
    time_of = first.document["$clusterTime"]
    equal(time_of["signature"], {"hash": b"\0" * 20, "keyId": 0})
    true(isinstance(first.document["operationTime"], Timestamp), "operationTime is a timestamp")
    true(second.document["operationTime"] >= first.document["operationTime"], "operationTime grows")
    equal(list(second.document), ["ok", "errmsg", "code", "codeName", "$clusterTime", "operationTime"])


@test
def cluster_times_of_clients_are_kept_up_with(context):
    with raw.RawClient(context.wire_port) as client:
        now = client.command(PING).document["operationTime"]
        told = {"clusterTime": Timestamp(now.time + 5, 9), "signature": {"hash": b"\0" * 20, "keyId": 0}}
        reply = client.command({**PING, "$clusterTime": told}).document
        true(reply["$clusterTime"]["clusterTime"] >= told["clusterTime"], "the time told is repeated")
        written = client.command({"insert": "c", "documents": [{}], "$db": context.name}).document
        true(written["operationTime"] > told["clusterTime"], "writes come after the time told")
        far = {"clusterTime": Timestamp(now.time + 2 * 366 * 24 * 3600, 1), "signature": told["signature"]}
        equal(client.command({**PING, "$clusterTime": far}).code, 205)
        equal(client.command({**PING, "$clusterTime": 5}).code, 14)


@test
def legacy_hello_is_answered_in_its_own_form(context):
    with raw.RawClient(context.wire_port) as client:
        reply = client.ask(raw.op_query("admin.$cmd", {"isMaster": 1, "helloOk": True}, request_id=5))
        equal((reply.op_code, reply.response_to, reply.cursor, reply.count), (raw.OP_REPLY, 5, 0, 1))
        equal((reply.document["ismaster"], reply.document["helloOk"]), (True, True))
        true("isWritablePrimary" not in reply.document, "no isWritablePrimary")
        wrapped = client.ask(raw.op_query("admin.$cmd", {"$query": {"ismaster": 1}, "$readPreference": {}}))
        equal(wrapped.document["ok"], 1.0)
        equal(client.ask(raw.op_query("d.$cmd", {"find": "c"})).code, 352)
        equal(client.ask(raw.op_query("d.c", {"isMaster": 1})).code, 5739101)
        equal(client.ask(raw.op_query("d.$cmd", {"isMaster": 1}, limit=5)).code, 16979)
        equal(client.ask(raw.op_query("d.$cmd", {"isMaster": 1, "$db": "d"})).code, 40621)


@test
def hello_has_the_fields_and_types_that_drivers_need(context):
    with raw.RawClient(context.wire_port) as client:
        first = client.command({**HELLO, "client": METADATA}).document
        again = client.command(HELLO).document
    with raw.RawClient(context.wire_port) as client:
        other = client.command(HELLO).document
    address = f"127.0.0.1:{context.wire_port}"
    for name, value in {
            "hosts": [address], "setName": "restitch", "setVersion": 1, "isWritablePrimary": True, "secondary": False,
            "primary": address, "me": address, "maxBsonObjectSize": 16777216, "maxMessageSizeBytes": 48000000,
            "maxWriteBatchSize": 100000, "logicalSessionTimeoutMinutes": 30, "minWireVersion": 0, "maxWireVersion": 21,
            "readOnly": False, "ok": 1.0}.items():
        equal(first.get(name), value, name)
    for name in ("msg", "arbiterOnly", "hidden", "ismaster", "helloOk", "compression", "saslSupportedMechs"):
        true(name not in first, f"no {name}")
    true(isinstance(first["topologyVersion"]["counter"], Int64), "the counter is a long")
    equal(first["topologyVersion"], other["topologyVersion"])
    equal(first["connectionId"], again["connectionId"])
    true(other["connectionId"] != first["connectionId"], "connections have their own ids")
    term = first["lastWrite"]["opTime"]["t"]
    true(isinstance(term, Int64) and term > 0, "the term is a long")
    equal(first["electionId"], ObjectId(b"\x7f\xff\xff\xff" + struct.pack(">q", term)))


@test
def client_metadata_is_told_once_and_checked(context):
    with raw.RawClient(context.wire_port) as client:
        equal(client.command({**HELLO, "client": {"driver": {"name": "raw"}}}).code, 183)
        equal(client.command({**HELLO, "client": {**METADATA, "application": {"name": "a" * 129}}}).code, 184)
        equal(client.command({**HELLO, "client": {**METADATA, "platform": "a" * 600}}).code, 185)
        equal(client.command({**HELLO, "client": 5}).code, 14)
        equal(client.command({**HELLO, "client": METADATA}).code, 0)
        equal(client.command({**HELLO, "client": METADATA}).code, 186)
        equal(client.command(HELLO).code, 0)
        equal(client.command({**HELLO, "saslSupportedMechs": "nodot"}).code, 2)


@test
def hello_waits_for_a_topology_change(context):
    with raw.RawClient(context.wire_port) as client:
        version = client.command(HELLO).document["topologyVersion"]
        started = time.monotonic()
        equal(client.command({**HELLO, "topologyVersion": version, "maxAwaitTimeMS": 300}).code, 0)
        true(0.25 < time.monotonic() - started < 10, "the time waited")
        stranger = {"processId": ObjectId(), "counter": Int64(0)}
        started = time.monotonic()
        equal(client.command({**HELLO, "topologyVersion": stranger, "maxAwaitTimeMS": 15000}).code, 0)
        true(time.monotonic() - started < 10, "an unknown process is answered at once")
        ahead = {**version, "counter": Int64(version["counter"] + 1)}
        equal(client.command({**HELLO, "topologyVersion": ahead, "maxAwaitTimeMS": 100}).code, 31382)
        equal(client.command({**HELLO, "topologyVersion": version}).code, 31368)
        equal(client.command({**HELLO, "maxAwaitTimeMS": 1}).code, 31368)


@test
def hello_streams_when_it_may(context):
    with raw.RawClient(context.wire_port) as client:
        version = client.command(HELLO).document["topologyVersion"]
        stream = {**HELLO, "topologyVersion": version, "maxAwaitTimeMS": 50}
        replies = [client.command(stream, flags=raw.EXHAUST_ALLOWED, request_id=9)]
        replies += [client.receive() for _ in range(3)]
        equal(replies[0].response_to, 9)
        for before, after in zip(replies, replies[1:]):
            equal(after.response_to, before.request_id, "each reply answers the one before")
        equal([reply.flags for reply in replies], [raw.MORE_TO_COME] * 4)
        equal([reply.document["ok"] for reply in replies], [1.0] * 4)
    with raw.RawClient(context.wire_port) as client:
        reply = client.command(PING, flags=raw.EXHAUST_ALLOWED)
        equal(reply.flags, 0, "other commands do not stream")


@test
def compression_is_negotiated_and_answered_alike(context):
    for wanted, got in ((["zlib"], ["zlib"]), (["lz4", "zlib", "snappy", "zlib"], ["zlib", "snappy"]), (["lz4"], None)):
        with raw.RawClient(context.wire_port) as client:
            equal(client.command({**HELLO, "compression": wanted}).document.get("compression"), got)
    with raw.RawClient(context.wire_port) as client:
        ping = raw.op_msg(raw.body(PING), request_id=77)
        for compressor in (raw.NOOP, raw.ZLIB):
            reply = client.ask(raw.compressed(ping, compressor))
            equal((reply.document["ok"], reply.compressor, reply.response_to), (1.0, compressor, 77))
        equal(client.ask(ping).compressor, None, "a plain request")
        hello = client.ask(raw.compressed(raw.op_msg(raw.body(HELLO)), raw.ZLIB))
        equal((hello.document["ok"], hello.compressor), (1.0, None), "hello is answered plain")
        legacy = client.ask(raw.compressed(raw.op_query("admin.$cmd", {"isMaster": 1}), raw.ZLIB))
        equal(legacy.document["ismaster"], True)
        large = {"insert": "c", "documents": [{"_id": 1, "text": "a" * 3_000_000}], "$db": context.name}
        equal(client.ask(raw.compressed(raw.op_msg(raw.body(large)), raw.ZLIB)).document.get("n"), 1)
        found = client.ask(raw.compressed(raw.op_msg(raw.body({"find": "c", "$db": context.name})), raw.ZLIB))
        equal(found.compressor, raw.ZLIB)
        equal(len(found.document["cursor"]["firstBatch"][0]["text"]), 3_000_000)


@test
def damaged_compressed_messages_end_their_connection_only(context):
    ping = raw.op_msg(raw.body(PING))
    for compressor in (raw.NOOP, raw.ZLIB, raw.SNAPPY, raw.ZSTD):
        for size in (0, len(ping) - 17, len(ping) - 15, -1, 48_000_000, 2**31 - 1):
            check_closes(context, raw.compressed(ping, compressor, size), f"compressor {compressor}, size {size}")
    check_closes(context, raw.compressed(ping, 4), "an unknown compressor")
    check_closes(context, raw.compressed(raw.compressed(ping, raw.ZLIB), raw.ZLIB), "compression in compression")
    check_closes(context, raw.compressed(ping, raw.NOOP, op_code=raw.OP_REPLY), "a reply inside")
    check_closes(context, raw.message(raw.OP_COMPRESSED, b"\0" * 8), "a compressed message cut short")
    bomb = raw.op_msg(b"\0" * 47_000_000)
    check_answers(context, raw.compressed(bomb, raw.ZLIB), 22, "47 MB of zeros")


@test
def get_more_streams_when_it_may(context):
    context.client[context.name].c.insert_many([{"_id": number} for number in range(25)])
    with raw.RawClient(context.wire_port) as client:
        find = client.command({"find": "c", "batchSize": 3, "$db": context.name, "sort": {"_id": 1}})
        seen = [document["_id"] for document in find.document["cursor"]["firstBatch"]]
        get_more = {"getMore": Int64(find.document["cursor"]["id"]), "collection": "c", "batchSize": 4, "$db": context.name}
        reply = client.command(get_more, flags=raw.EXHAUST_ALLOWED, request_id=9)
        expected = 9
        while True:
            equal(reply.response_to, expected, "each reply answers the one before")
            seen += [document["_id"] for document in reply.document["cursor"]["nextBatch"]]
            if reply.flags & raw.MORE_TO_COME == 0:
                break
            expected, reply = reply.request_id, client.receive()
        equal(reply.document["cursor"]["id"], 0, "the stream ends with the cursor")
        equal(seen, list(range(25)))
        equal(client.command(PING).document["ok"], 1.0)
        lost = client.command({**get_more, "getMore": Int64(12345)}, flags=raw.EXHAUST_ALLOWED)
        equal((lost.code, lost.flags), (43, 0), "an error ends the stream")


@test
def a_stream_nobody_reads_ends_with_its_cursor(context):
    collection = context.client[context.name].c
    collection.insert_many([{"_id": number, "data": b"x" * 1_000_000} for number in range(60)])

    def open_cursors():
        return context.client.admin.command("serverStatus")["metrics"]["cursor"]["open"]["total"]

    before = open_cursors()
    with raw.RawClient(context.wire_port) as client:
        find = client.command({"find": "c", "batchSize": 1, "$db": context.name})
        number = Int64(find.document["cursor"]["id"])
        client.send(raw.op_msg(raw.body({"getMore": number, "collection": "c", "batchSize": 1, "$db": context.name}),
                               raw.EXHAUST_ALLOWED))
    deadline = time.monotonic() + 20
    while open_cursors() > before:
        true(time.monotonic() < deadline, "the stream ends")
        time.sleep(0.05)
    equal(client_reply(context, {"getMore": number, "collection": "c", "$db": context.name}).code, 43)


@test
def a_client_that_does_not_read_slows_only_itself(context):
    context.client[context.name].c.insert_one({"_id": 1, "data": b"x" * 1_000_000})
    find = raw.op_msg(raw.body({"find": "c", "$db": context.name}))
    with raw.RawClient(context.wire_port) as client:
        client._socket.settimeout(1)
        try:
            for _ in range(400):  # answers of 400 MB that nobody reads
                client.send(find)
        except TimeoutError:
            pass
        started = time.monotonic()
        equal(context.client.admin.command("ping")["ok"], 1.0)
        true(time.monotonic() - started < 5, "another client is served at once")
        client._socket.settimeout(20)
        equal(len(client.receive().document["cursor"]["firstBatch"][0]["data"]), 1_000_000)


@test
def connections_and_traffic_are_counted(context):
    def status():
        return context.client.admin.command("serverStatus")

    before = status()
    with raw.RawClient(context.wire_port) as client:
        client.command(PING)
        after = status()
    equal(after["connections"]["current"], before["connections"]["current"] + 1)
    equal(after["connections"]["totalCreated"], before["connections"]["totalCreated"] + 1)
    equal(after["connections"]["available"], before["connections"]["available"] - 1)
    equal(after["network"]["numRequests"], before["network"]["numRequests"] + 2)
    true(after["network"]["bytesIn"] > before["network"]["bytesIn"] + 2 * 16, "bytes in grow")
    true(after["network"]["bytesOut"] > before["network"]["bytesOut"] + 2 * 16, "bytes out grow")


@test
def batches_are_limited(context):
    insert = raw.body({"insert": "c", "$db": context.name})
    documents = b"documents\0" + b"\5\0\0\0\0" * 100001
    section = b"\1" + struct.pack("<i", len(documents) + 4) + documents
    check_answers(context, raw.op_msg(insert + section), 16, "100001 documents")
    check_answers(context, raw.op_msg(insert + raw.sequence("documents", [])), 16, "no document")


@test
def large_messages_are_served(context):
    documents = [{"_id": number, "data": b"x" * 4_000_000} for number in range(11)]
    with raw.RawClient(context.wire_port, seconds=60) as client:
        reply = client.ask(raw.op_msg(raw.body({"insert": "c", "$db": context.name}) +
                                      raw.sequence("documents", documents)))
        equal(reply.document.get("n"), 11)
        found = client.command({"find": "c", "filter": {}, "$db": context.name, "batchSize": 100})
        size = len(bson.encode(found.document))
        true(12_000_000 < size <= 16_793_600, f"a batch ends at 16 MiB: {size}")


@test
def many_connections_are_served_at_once(context):
    clients = [raw.RawClient(context.wire_port) for _ in range(200)]
    try:
        for client in clients:
            client.send(raw.op_msg(raw.body(PING)))
        for client in clients:
            equal(client.receive().document["ok"], 1.0)
    finally:
        for client in clients:
            client.__exit__()


@test
def whatsmyuri_names_the_peer(context):
    with raw.RawClient(context.wire_port) as client:
        host, port = client._socket.getsockname()
        equal(client.command({"whatsmyuri": 1, "$db": "admin"}).document["you"], f"{host}:{port}")
    with fails(raw.Closed), raw.RawClient(context.wire_port) as client:
        client.send(raw.header(3, 1, raw.OP_MSG))
        client.receive()
