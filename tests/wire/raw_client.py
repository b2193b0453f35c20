"""The wire protocol by hand. Needs pymongo's bson only."""

import base64
import hashlib
import hmac
import secrets
import socket
import struct
import zlib

import bson

OP_REPLY, OP_QUERY, OP_COMPRESSED, OP_MSG = 1, 2004, 2012, 2013
CHECKSUM_PRESENT, MORE_TO_COME, EXHAUST_ALLOWED = 1, 2, 1 << 16


def header(length, request_id, op_code):
    return struct.pack("<iiii", length, request_id, 0, op_code)


def message(op_code, payload, request_id=1):
    return header(16 + len(payload), request_id, op_code) + payload


def body(document):
    return b"\0" + bson.encode(document)


def sequence(identifier, documents):
    content = identifier.encode() + b"\0" + b"".join(bson.encode(document) for document in documents)
    return b"\1" + struct.pack("<i", len(content) + 4) + content


def op_msg(sections, flags=0, request_id=1):
    return message(OP_MSG, struct.pack("<I", flags) + sections, request_id)


def op_query(namespace, query, limit=-1, request_id=1):
    payload = struct.pack("<i", 0) + namespace.encode() + b"\0" + struct.pack("<ii", 0, limit)
    return message(OP_QUERY, payload + bson.encode(query), request_id)


def make_table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


TABLE = make_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def with_checksum(sections, damage=0):
    flags = struct.pack("<I", CHECKSUM_PRESENT)
    covered = header(16 + 4 + len(sections) + 4, 1, OP_MSG) + flags + sections
    return covered + struct.pack("<I", crc32c(covered) ^ damage)


NOOP, SNAPPY, ZLIB, ZSTD = 0, 1, 2, 3


def compressed(data, compressor=NOOP, size=None, op_code=None):
    """The message wrapped into OP_COMPRESSED."""
    _, request_id, _, inner_code = struct.unpack_from("<iiii", data)
    content = zlib.compress(data[16:]) if compressor == ZLIB else data[16:]
    size = len(data) - 16 if size is None else size
    head = struct.pack("<iiB", inner_code if op_code is None else op_code, size, compressor)
    return message(OP_COMPRESSED, head + content, request_id)


class Reply:
    def __init__(self, data):
        _, self.request_id, self.response_to, self.op_code = struct.unpack_from("<iiii", data)
        self.compressor = None
        if self.op_code == OP_COMPRESSED:
            self.op_code, size, self.compressor = struct.unpack_from("<iiB", data, 16)
            content = zlib.decompress(data[25:]) if self.compressor == ZLIB else data[25:]
            assert len(content) == size, (len(content), size)
            data = data[:16] + content
        if self.op_code == OP_MSG:
            self.flags = struct.unpack_from("<I", data, 16)[0]
            self.document = bson.decode(data[21:])
        else:
            self.flags, self.cursor, self.start, self.count = struct.unpack_from("<iqii", data, 16)
            self.document = bson.decode(data[36:])

    @property
    def code(self):
        return self.document.get("code", 0)


class Closed(Exception):
    """The server has ended the connection."""


class RawClient:
    def __init__(self, port, seconds=20):
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=seconds)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def send(self, data):
        self._socket.sendall(data)

    def _receive(self, size):
        data = b""
        while len(data) < size:
            try:
                part = self._socket.recv(size - len(data))
            except ConnectionError as error:
                raise Closed() from error
            if not part:
                raise Closed()
            data += part
        return data

    def receive(self):
        length = self._receive(4)
        return Reply(length + self._receive(struct.unpack("<i", length)[0] - 4))

    def ask(self, data):
        self.send(data)
        return self.receive()

    def sign_in(self, user, password, database):
        """By SCRAM-SHA-256 (RFC 7677)."""
        first = f"n={user},r={secrets.token_hex(12)}"
        started = self.command({"saslStart": 1, "mechanism": "SCRAM-SHA-256", "payload": b"n,," + first.encode(),
                                "options": {"skipEmptyExchange": True}, "$db": database}).document
        challenge = started["payload"].decode()
        fields = dict(part.split("=", 1) for part in challenge.split(","))
        salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(fields["s"]), int(fields["i"]))
        key = hmac.digest(salted, b"Client Key", "sha256")
        last = f"c=biws,r={fields['r']}"
        signature = hmac.digest(hashlib.sha256(key).digest(), f"{first},{challenge},{last}".encode(), "sha256")
        proof = base64.b64encode(bytes(a ^ b for a, b in zip(key, signature))).decode()
        ended = self.command({"saslContinue": 1, "conversationId": started["conversationId"],
                              "payload": f"{last},p={proof}".encode(), "$db": database}).document
        assert ended["ok"] == 1 and ended["done"], ended

    def command(self, document, flags=0, request_id=1):
        return self.ask(op_msg(body(document), flags, request_id))

    def is_closed_by_server(self):
        try:
            self.receive()
        except Closed:
            return True
        return False

    def is_silent(self, seconds):
        self._socket.settimeout(seconds)
        try:
            self._receive(1)
        except TimeoutError:
            return True
        finally:
            self._socket.settimeout(20)
        return False
