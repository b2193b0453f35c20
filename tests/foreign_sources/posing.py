"""A server that says it is a replica set's primary, as some do on request, without having what comes with it."""

import socket
import struct
import threading

import bson

SET_NAME = "posing"
OP_REPLY, OP_MSG = 1, 2013
HEADER = struct.Struct("<iiii")
REPLY_FIELDS = 20  # flags, cursor, position and count of an OP_REPLY
MSG_FIELDS = 5  # flags and kind of an OP_MSG with one section


class PosingProxy:
    """Passes everything on; the answers to `hello` get a set's name."""

    def __init__(self, port):
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.uri = f"mongodb://127.0.0.1:{self.port}/?replicaSet={SET_NAME}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
            except OSError:
                return
            threading.Thread(target=self._pass, args=(client, server, lambda message: message), daemon=True).start()
            threading.Thread(target=self._pass, args=(server, client, self._posing), daemon=True).start()

    @staticmethod
    def _pass(source, sink, change):
        try:
            with source.makefile("rb") as stream:
                while header := stream.read(HEADER.size):
                    length = HEADER.unpack(header)[0]
                    sink.sendall(change(header + stream.read(length - HEADER.size)))
        except OSError:
            pass
        finally:
            for end in (source, sink):
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def _posing(self, message):
        _, request, response, code = HEADER.unpack(message[:HEADER.size])
        skipped = HEADER.size + {OP_REPLY: REPLY_FIELDS, OP_MSG: MSG_FIELDS}[code]
        if b"maxWireVersion" not in message:
            return message
        me = f"127.0.0.1:{self.port}"
        document = bson.decode(message[skipped:])
        document.update(setName=SET_NAME, setVersion=1, hosts=[me], me=me, secondary=False)
        body = message[HEADER.size:skipped] + bson.encode(document)
        return HEADER.pack(HEADER.size + len(body), request, response, code) + body

    def close(self):
        self._listener.close()
