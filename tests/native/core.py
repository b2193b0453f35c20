"""The client core's C API as far as the tests use it: an app, its users, their keys and functions.

The core brings no HTTP of its own: `Transport` carries its requests, on the thread that asks, so that every call below
has ended when it returns."""

import ctypes
import http.client
import json
import urllib.parse
from ctypes import POINTER, Structure, byref, c_bool, c_char_p, c_int, c_int64, c_size_t, c_uint64, c_ubyte, c_void_p

PROVIDERS = ["anon-user", "anon-user", "oauth2-facebook", "oauth2-google", "oauth2-apple", "custom-token",
             "local-userpass", "custom-function", "api-key"]
METHODS = ["GET", "POST", "PATCH", "PUT", "DELETE"]
METADATA_DISABLED = 2


class Text(Structure):
    _fields_ = [("data", c_char_p), ("size", c_size_t)]

    @staticmethod
    def of(value):
        data = value.encode()
        return Text(data, len(data))


class ObjectId(Structure):
    _fields_ = [("bytes", c_ubyte * 12)]


class Header(Structure):
    _fields_ = [("name", c_char_p), ("value", c_char_p)]


class Request(Structure):
    _fields_ = [("method", c_int), ("url", c_char_p), ("timeout_ms", c_uint64), ("headers", POINTER(Header)),
                ("num_headers", c_size_t), ("body", c_void_p), ("body_size", c_size_t)]


class Response(Structure):
    _fields_ = [("status_code", c_int), ("custom_status_code", c_int), ("headers", POINTER(Header)),
                ("num_headers", c_size_t), ("body", c_char_p), ("body_size", c_size_t)]


class ErrorInfo(Structure):
    _fields_ = [("error", c_int), ("categories", c_int), ("message", c_char_p), ("http_status_code", c_int),
                ("link", c_char_p)]


class LastError(Structure):
    _fields_ = [("error", c_int), ("categories", c_int), ("message", c_char_p), ("usercode_error", c_void_p),
                ("path", c_char_p)]


class ApiKey(Structure):
    _fields_ = [("id", ObjectId), ("key", c_char_p), ("name", c_char_p), ("disabled", c_bool)]


class IdentityInfo(Structure):
    _fields_ = [("id", c_void_p), ("provider_type", c_int)]


HTTP_CALLBACK = ctypes.CFUNCTYPE(None, c_void_p, Request, c_void_p)
VOID_CALLBACK = ctypes.CFUNCTYPE(None, c_void_p, POINTER(ErrorInfo))
USER_CALLBACK = ctypes.CFUNCTYPE(None, c_void_p, c_void_p, POINTER(ErrorInfo))
TEXT_CALLBACK = ctypes.CFUNCTYPE(None, c_void_p, c_char_p, POINTER(ErrorInfo))
KEY_CALLBACK = ctypes.CFUNCTYPE(None, c_void_p, POINTER(ApiKey), POINTER(ErrorInfo))
KEYS_CALLBACK = ctypes.CFUNCTYPE(None, c_void_p, POINTER(ApiKey), c_size_t, POINTER(ErrorInfo))
BSON_CALLBACK = ctypes.CFUNCTYPE(None, c_void_p, Text, POINTER(ErrorInfo))
FREE_CALLBACK = ctypes.CFUNCTYPE(None, c_void_p)
NO_FREE = FREE_CALLBACK(0)


class CoreError(Exception):
    """What the core makes of the server's answer: its own error number, the HTTP status, text and link."""

    def __init__(self, info):
        self.code = info.error
        self.status = info.http_status_code
        self.message = (info.message or b"").decode()
        self.link = (info.link or b"").decode()
        super().__init__(f"{self.code} (HTTP {self.status}): {self.message}")


class Transport:
    """Carries requests with http.client and remembers them as (method, path, headers), and the hosts they were for. Only
    this machine is reached."""

    def __init__(self, library):
        self.requests = []
        self.hosts = []
        self._library = library
        self._callback = HTTP_CALLBACK(self._send)
        library.realm_http_transport_new.restype = c_void_p
        self.handle = c_void_p(library.realm_http_transport_new(self._callback, None, NO_FREE))

    def _send(self, _, request, context):
        url = urllib.parse.urlsplit(request.url.decode())
        headers = {request.headers[i].name.decode(): request.headers[i].value.decode()
                   for i in range(request.num_headers)}
        method = METHODS[request.method]
        self.requests.append((method, url.path, headers))
        self.hosts.append(url.netloc)
        try:
            status, fields, body = self._exchange(method, url, headers, ctypes.string_at(request.body, request.body_size))
            custom = 0
        except OSError as failure:
            status, fields, body, custom = 0, [], str(failure).encode(), -1
        array = (Header * max(1, len(fields)))(*[Header(name.encode(), value.encode()) for name, value in fields])
        self._library.realm_http_transport_complete_request(
            c_void_p(context), byref(Response(status, custom, array, len(fields), body, len(body))))

    @staticmethod
    def _exchange(method, url, headers, body):
        if url.hostname != "127.0.0.1":
            raise OSError(f"{url.hostname} is not this machine")
        connection = http.client.HTTPConnection(url.hostname, url.port, timeout=30)
        try:
            connection.request(method, url.path + ("?" + url.query if url.query else ""), body, headers)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()


class Core:
    def __init__(self, path):
        self.library = ctypes.CDLL(str(path))
        for name in ("realm_app_config_new", "realm_app_create", "realm_mongo_collection_get",
                     *[f"realm_app_credentials_new_{kind}" for kind in
                       ("anonymous", "facebook", "google_id_token", "google_auth_code", "apple", "jwt",
                        "email_password", "api_key", "function")]):
            getattr(self.library, name).restype = c_void_p
        for name in ("device_id", "custom_data", "profile_data", "identity", "access_token", "refresh_token"):
            getattr(self.library, f"realm_user_get_{name}").restype = c_void_p
        self.library.realm_app_get_base_url.restype = c_void_p
        self.library.realm_user_is_logged_in.restype = c_bool
        self.library.realm_get_library_version.restype = c_char_p
        self.library.realm_app_get_current_user.restype = c_void_p

    @property
    def version(self):
        return self.library.realm_get_library_version().decode()

    def credentials(self, kind, *arguments):
        values = [Text.of(value) if kind == "email_password" and index == 1 else
                  value if isinstance(value, bool) else value.encode() for index, value in enumerate(arguments)]
        return c_void_p(getattr(self.library, f"realm_app_credentials_new_{kind}")(*values))

    def text(self, pointer):
        """Takes over a text that the core has allocated."""
        if not pointer:
            return None
        value = ctypes.string_at(pointer).decode()
        self.library.realm_free(c_void_p(pointer))
        return value

    def app(self, app_id, base_url, folder):
        folder.mkdir()
        return App(self, app_id, base_url, folder)


class Outcome:
    """A completion of one of the kinds above: keeps what it was called with."""

    def __init__(self, kind, read=None):
        self._called = False
        self._error = None
        self._value = None
        self._read = read
        self.callback = kind(self._complete)

    def _complete(self, _, *arguments):
        self._called = True
        *values, error = arguments
        if error:
            self._error = CoreError(error.contents)
        elif self._read:
            self._value = self._read(*values)

    def value(self):
        assert self._called, "the core has not answered"
        if self._error:
            raise self._error
        return self._value


def read_key(key):
    info = key.contents if isinstance(key, POINTER(ApiKey)) else key
    return {"id": bytes(info.id.bytes).hex(), "key": (info.key or b"").decode(), "name": info.name.decode(),
            "disabled": info.disabled}


class App:
    def __init__(self, core, app_id, base_url, folder):
        self.core = core
        self.transport = Transport(core.library)
        library = core.library
        config = c_void_p(library.realm_app_config_new(app_id.encode(), self.transport.handle))
        library.realm_app_config_set_base_url(config, base_url.encode())
        for name, value in {"platform_version": "12", "sdk_version": "2.3.0", "sdk": "Kotlin", "device_name": "bench",
                            "device_version": "1", "framework_name": "JVM", "framework_version": "17",
                            "bundle_id": "org.example.app"}.items():
            getattr(library, f"realm_app_config_set_{name}")(config, value.encode())
        library.realm_app_config_set_base_file_path(config, str(folder).encode())
        library.realm_app_config_set_metadata_mode(config, METADATA_DISABLED)
        self.handle = c_void_p(library.realm_app_create(config))
        if not self.handle:
            error = LastError()
            library.realm_get_last_error(byref(error))
            raise AssertionError(f"the core made no app: {error.error} {error.message}")

    def _run(self, name, outcome, *arguments):
        assert getattr(self.core.library, name)(self.handle, *arguments, outcome.callback, None, NO_FREE), name
        return outcome.value()

    def _user(self, pointer):
        self.core.library.realm_clone.restype = c_void_p
        return User(self, c_void_p(self.core.library.realm_clone(c_void_p(pointer))))

    def log_in(self, kind, *arguments):
        return self._run("realm_app_log_in_with_credentials", Outcome(USER_CALLBACK, self._user),
                         self.core.credentials(kind, *arguments))

    def link(self, user, kind, *arguments):
        return self._run("realm_app_link_user", Outcome(USER_CALLBACK, self._user), user.handle,
                         self.core.credentials(kind, *arguments))

    def log_out(self, user):
        self._run("realm_app_log_out", Outcome(VOID_CALLBACK), user.handle)

    def delete(self, user):
        self._run("realm_app_delete_user", Outcome(VOID_CALLBACK), user.handle)

    def refresh_custom_data(self, user):
        self._run("realm_app_refresh_custom_data", Outcome(VOID_CALLBACK), user.handle)

    def email(self, action, *arguments):
        """An action of the e-mail provider's client: register_email, confirm_user, …"""
        texts = {"register_email": (1,), "reset_password": (0,), "call_reset_password_function": (1,)}.get(action, ())
        values = [Text.of(value) if index in texts else value.encode() for index, value in enumerate(arguments)]
        self._run(f"realm_app_email_password_provider_client_{action}", Outcome(VOID_CALLBACK), *values)

    def create_key(self, user, name):
        return self._run("realm_app_user_apikey_provider_client_create_apikey", Outcome(KEY_CALLBACK, read_key),
                         user.handle, name.encode())

    def fetch_key(self, user, key_id):
        return self._run("realm_app_user_apikey_provider_client_fetch_apikey", Outcome(KEY_CALLBACK, read_key),
                         user.handle, object_id(key_id))

    def fetch_keys(self, user):
        outcome = Outcome(KEYS_CALLBACK, lambda keys, count: [read_key(keys[i]) for i in range(count)])
        return self._run("realm_app_user_apikey_provider_client_fetch_apikeys", outcome, user.handle)

    def change_key(self, action, user, key_id):
        """delete, enable or disable."""
        self._run(f"realm_app_user_apikey_provider_client_{action}_apikey", Outcome(VOID_CALLBACK), user.handle,
                  object_id(key_id))

    def call(self, user, name, *arguments, service=None):
        result = self._run("realm_app_call_function", Outcome(TEXT_CALLBACK, lambda text: json.loads(text)), user.handle,
                           name.encode(), json.dumps(list(arguments)).encode(), service.encode() if service else None)
        return result

    def register_device(self, user, service, token):
        self._run("realm_app_push_notification_client_register_device", Outcome(VOID_CALLBACK), user.handle,
                  service.encode(), token.encode())

    def deregister_device(self, user, service):
        self._run("realm_app_push_notification_client_deregister_device", Outcome(VOID_CALLBACK), user.handle,
                  service.encode())

    def update_base_url(self, url):
        """None: back to the default of the SDKs."""
        self._run("realm_app_update_base_url", Outcome(VOID_CALLBACK), url.encode() if url else None)

    @property
    def base_url(self):
        return self.core.text(self.core.library.realm_app_get_base_url(self.handle))

    def collection(self, user, service, database, name):
        return Collection(self.core, user, service, database, name)


class User:
    def __init__(self, app, handle):
        self.app = app
        self.handle = handle

    def _text(self, name):
        return self.app.core.text(getattr(self.app.core.library, f"realm_user_get_{name}")(self.handle))

    @property
    def id(self):
        return self._text("identity")

    @property
    def device_id(self):
        return self._text("device_id")

    @property
    def access_token(self):
        return self._text("access_token")

    @property
    def refresh_token(self):
        return self._text("refresh_token")

    @property
    def profile(self):
        return json.loads(self._text("profile_data"))

    @property
    def custom_data(self):
        text = self._text("custom_data")
        return json.loads(text) if text else None

    @property
    def is_logged_in(self):
        return self.app.core.library.realm_user_is_logged_in(self.handle)

    @property
    def identities(self):
        """Provider types, in order."""
        entries = (IdentityInfo * 20)()
        count = c_size_t()
        assert self.app.core.library.realm_user_get_all_identities(self.handle, entries, c_size_t(20), byref(count))
        for entry in entries[:count.value]:
            self.app.core.library.realm_free(c_void_p(entry.id))
        return [PROVIDERS[entry.provider_type] for entry in entries[:count.value]]


class Collection:
    """A few of the core's own MongoDB calls: it asserts on the exact kinds of the numbers in the answers."""

    def __init__(self, core, user, service, database, name):
        self._library = core.library
        self._handle = c_void_p(core.library.realm_mongo_collection_get(user.handle, service.encode(), database.encode(),
                                                                        name.encode()))

    def _run(self, name, *arguments):
        outcome = Outcome(BSON_CALLBACK, lambda text: json.loads(ctypes.string_at(text.data, text.size)))
        assert getattr(self._library, f"realm_mongo_collection_{name}")(self._handle, *arguments, None, NO_FREE,
                                                                        outcome.callback), name
        return outcome.value()

    def insert_one(self, document):
        return self._run("insert_one", Text.of(json.dumps(document)))

    def insert_many(self, documents):
        return self._run("insert_many", Text.of(json.dumps(documents)))

    def count(self, query, limit=0):
        return self._run("count", Text.of(json.dumps(query)), c_int64(limit))

    def update_one(self, query, update, upsert=False):
        return self._run("update_one", Text.of(json.dumps(query)), Text.of(json.dumps(update)), c_bool(upsert))

    def delete_many(self, query):
        return self._run("delete_many", Text.of(json.dumps(query)))

    def aggregate(self, pipeline):
        return self._run("aggregate", Text.of(json.dumps(pipeline)))


def object_id(text):
    return ObjectId((c_ubyte * 12)(*bytes.fromhex(text)))
