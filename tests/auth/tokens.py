"""JSON Web Tokens as a custom provider makes them, right and wrong."""

import base64
import hashlib
import hmac
import json
import time

import apps


def encoded(part):
    return base64.urlsafe_b64encode(part if isinstance(part, bytes) else json.dumps(part).encode()).rstrip(b"=").decode()


def hs256(claims, key=apps.HS256_KEY, header=None, digest=hashlib.sha256):
    claims = {"exp": int(time.time()) + 300, "aud": "functions-aaaaa", "sub": "s1", "email": "s1@example.org", **claims}
    claims = {name: value for name, value in claims.items() if value is not None}
    text = f"{encoded({'alg': 'HS256', 'typ': 'JWT'} if header is None else header)}.{encoded(claims)}"
    key = key.encode() if isinstance(key, str) else key
    return f"{text}.{encoded(hmac.new(key, text.encode(), digest).digest())}"
