"""The steps of a case. Each fills in what the case left out and checks what every answer of the client API has."""

import base64
import json
import re

import exchange
import matching

CLIENT = "/api/client/v2.0"
PASSWORD = "corr3ct-horse"
PLACE = re.compile(r"\$\{([A-Za-z0-9_.]+)\}")


class StepFailed(Exception):
    pass


class Runner:
    """Runs the steps of one case; `names` holds what earlier steps captured."""

    def __init__(self, servers, app, unique):
        self.servers = servers
        self.names = {"app": app, "unique": unique, "client": CLIENT, "root": f"{CLIENT}/app/{app}"}

    def run(self, step):
        """Runs a step `repeat` times, with ${index} from 0 on."""
        for index in range(step.get("repeat", 1)):
            self.names["index"] = index
            self._run_once(step)

    def _run_once(self, step):
        for kind in ("login", "member", "call", "mongo", "request", "raw", "deep", "token", "forge", "restart"):
            if kind in step:
                return getattr(self, f"_{kind}")(step)
        raise StepFailed(f"unknown step {sorted(step)}")

    # --- values -----------------------------------------------------------------------------------------------------

    def fill(self, value):
        if isinstance(value, str):
            whole = PLACE.fullmatch(value)
            if whole:
                return self._name(whole.group(1))
            return PLACE.sub(lambda found: str(self._name(found.group(1))), value)
        if isinstance(value, list):
            return [self.fill(item) for item in value]
        if isinstance(value, dict):
            return {self.fill(name): self.fill(item) for name, item in value.items()}
        return value

    def _name(self, name):
        if name == "url":
            return self.servers.current.url
        if name not in self.names:
            raise StepFailed(f"nothing was captured as {name}")
        return self.names[name]

    # --- kinds of steps ---------------------------------------------------------------------------------------------

    def _login(self, step):
        """Signs in and remembers NAME.access, .refresh, .id, .device."""
        name = step["login"]
        provider = step.get("provider", "anon-user")
        root = f"{CLIENT}/app/{self.fill(step['app'])}" if "app" in step else self.names["root"]
        answer = self._send("POST", f"{root}/auth/providers/{provider}/login", {}, self.fill(step.get("body", {})))
        if answer.status != 200:
            raise StepFailed(f"login as {name}: {answer.status} {answer.text()}")
        body = answer.json()
        self.names.update({
            f"{name}.access": body["access_token"], f"{name}.refresh": body["refresh_token"],
            f"{name}.id": body["user_id"], f"{name}.device": body["device_id"]})
        for token in ("access", "refresh"):
            for claim, value in exchange.jwt_claims(body[f"{token}_token"]).items():
                self.names[f"{name}.{token}.{claim}"] = value

    def _member(self, step):
        """Registers an e-mail login NAME.email and signs in with it."""
        name = step["member"]
        email = f"{name}-{self.names['unique']}@example.org"
        self.names[f"{name}.email"] = email
        answer = self._send("POST", f"{self.names['root']}/auth/providers/local-userpass/register", {},
                            {"email": email, "password": PASSWORD})
        if answer.status != 201:
            raise StepFailed(f"register {name}: {answer.status} {answer.text()}")
        self._login({"login": name, "provider": "local-userpass", "body": {"username": email, "password": PASSWORD}})

    def _call(self, step):
        body = {"name": step["call"], "arguments": step.get("arguments", [])}
        if "service" in step:
            body["service"] = step["service"]
        self._post_call(step, body)

    def _mongo(self, step):
        """`"mongo": "find t.open"`: an action on the namespace, with the further arguments in `args`."""
        action, namespace = step["mongo"].split(" ")
        argument = dict(step.get("args", {}))
        if namespace != "-":
            database, collection = namespace.split(".", 1)
            argument = {"database": database, "collection": collection, **argument}
        self._post_call(step, {"name": action, "service": "mongodb-atlas", "arguments": [argument]})

    def _post_call(self, step, body):
        headers = {"Authorization": f"Bearer {self._name(step.get('as', 'alice') + '.access')}"}
        answer = self._send("POST", f"{self.names['root']}/functions/call", headers, self.fill(body))
        self._check(step, answer)

    def _request(self, step):
        method, path = self.fill(step["request"]).split(" ", 1)
        headers = self.fill(step.get("headers", {}))
        if "access" in step:
            headers["Authorization"] = f"Bearer {self._name(step['access'] + '.access')}"
        if "refresh" in step:
            headers["Authorization"] = f"Bearer {self._name(step['refresh'] + '.refresh')}"
        body = self.fill(step["text"]).encode() if "text" in step else self.fill(step.get("body"))
        if "body_bytes" in step:
            body = b"x" * step["body_bytes"]
        self._check(step, self._send(method, path, headers, body))

    def _raw(self, step):
        parts = step["raw"] if isinstance(step["raw"], list) else [step["raw"]]
        pieces = [self._bytes(part) for part in parts]
        received, closed = exchange.raw(self.servers.current.port, pieces, step.get("half_close", False),
                                        step.get("pause", 0.2))
        answers = exchange.split_answers(received)
        statuses = [answer.status for answer in answers]
        if "statuses" in step and statuses != step["statuses"]:
            raise StepFailed(f"answers {statuses}, expected {step['statuses']} from {received[:300]!r}")
        if "closes" in step and closed != step["closes"]:
            raise StepFailed(f"the server {'closed' if closed else 'kept'} the connection")
        for answer, expected in zip(answers, step.get("bodies", [])):
            found = matching.difference(answer.json(), self.fill(expected))
            if found:
                raise StepFailed(found)

    def _bytes(self, part):
        if isinstance(part, dict):
            return self.fill(part["repeat"]).encode("latin-1") * part["times"]
        return self.fill(part).replace("\n", "\r\n").encode("latin-1")

    def _forge(self, step):
        """Remembers as `to` the token `forge` with another signature, or with no signing at all (`how`)."""
        head, payload, signature = self._name(step["forge"]).split(".")
        how = step["how"]
        if how == "signature":
            signature = "A" * len(signature)
        elif how == "none":
            head = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=").decode()
            signature = ""
        elif how == "claims":
            claims = {**exchange.jwt_claims(f".{payload}."), **self.fill(step["claims"])}
            payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
        self.names[step["to"]] = f"{head}.{payload}.{signature}"

    def _deep(self, step):
        """An argument of so many nested arrays."""
        nested = "[" * step["deep"] + "]" * step["deep"]
        text = '{"name":"echo","arguments":[' + nested + "]}"
        headers = {"Authorization": f"Bearer {self._name(step['as'] + '.access')}", "Content-Type": "application/json"}
        self._check(step, self._send("POST", f"{self.names['root']}/functions/call", headers, text.encode()))

    def _token(self, step):
        """Checks the claims of the captured token `token`, and `lifetime`: exp - iat in seconds."""
        claims = exchange.jwt_claims(self._name(step["token"]))
        problem = matching.difference(claims, self.fill(step["expect"]), "claims")
        if problem is None and claims["exp"] - claims["iat"] != step["lifetime"]:
            problem = f"lifetime is {claims['exp'] - claims['iat']} s"
        if problem:
            raise StepFailed(problem)

    def _restart(self, _step):
        self.servers.restart()

    # --- sending and checking ---------------------------------------------------------------------------------------

    def _send(self, method, path, headers, body):
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            headers = {"Content-Type": "application/json", **headers}
        answer = exchange.request(self.servers.current.port, method, path, headers, body)
        if path.lstrip("/").startswith(CLIENT.lstrip("/")) and "/incoming_webhook/" not in path:
            check_client_answer(answer, method)
        return answer

    def _check(self, step, answer):
        shown = f"{answer.status} {answer.text()[:600]}"
        wanted_status = step.get("status", 200)
        fits = 400 <= answer.status < 500 if wanted_status == "<4xx>" else answer.status == wanted_status
        if not fits:
            raise StepFailed(f"status {shown}, expected {wanted_status}")
        for name, wanted in self.fill(step.get("answer_headers", {})).items():
            found = answer.header(name)
            problem = matching.difference({name: found} if found is not None else {}, {name: wanted}, "headers")
            if problem:
                raise StepFailed(problem)
        if "expect" in step:
            try:
                body = answer.json()
            except ValueError:
                raise StepFailed(f"no JSON: {shown}") from None
            self._check_link(answer, body)
            problem = matching.difference(body, self._expected(step, answer.status))
            if problem:
                raise StepFailed(problem)
        if "expect_text" in step and answer.text() != self.fill(step["expect_text"]):
            raise StepFailed(f"body {answer.text()!r}, expected {self.fill(step['expect_text'])!r}")
        for name, path in step.get("capture", {}).items():
            self.names[name] = member(answer.json(), path)
        for name, token_path in step.get("claims", {}).items():
            for claim, value in exchange.jwt_claims(member(answer.json(), token_path)).items():
                self.names[f"{name}.{claim}"] = value
        for left, right in step.get("equal", []):
            if self.fill(left) != self.fill(right):
                raise StepFailed(f"{left} is {self.fill(left)!r}, {right} is {self.fill(right)!r}")

    def _expected(self, step, status):
        """An error need not repeat its link: `_check_link` has seen to it."""
        expected = self.fill(step["expect"])
        if status >= 400 and isinstance(expected, dict) and "link" not in expected:
            return {**expected, "link": "<any>"} if step.get("linked", True) else {**expected, "link": "<absent>"}
        return expected

    def _check_link(self, answer, body):
        if answer.status < 400 or not isinstance(body, dict) or "link" not in body:
            return
        request_id = answer.header("x-appservices-request-id")
        wanted = f"<re:^https?://[^/]+/groups/[0-9a-f]{{24}}/apps/[0-9a-f]{{24}}/logs\\?co_id={request_id}$>"
        problem = matching.difference(body["link"], wanted, "link")
        if problem:
            raise StepFailed(problem)


def member(body, path):
    """The value at a dotted path; numbers index arrays; "" is the whole."""
    for part in path.split(".") if path else []:
        body = body[int(part)] if isinstance(body, list) else body[part]
    return body


def check_client_answer(answer, method):
    """What holds for every answer of the client API."""
    content_type = answer.header("Content-Type")
    if answer.status == 204 or not answer.body:
        if content_type is not None and method != "HEAD":
            raise StepFailed(f"an empty answer ({answer.status}) has Content-Type {content_type}")
        if answer.body:
            raise StepFailed(f"204 with a body: {answer.text()}")
    elif content_type != "application/json":
        raise StepFailed(f"Content-Type is {content_type!r}, expected exactly application/json: {answer.text()[:200]}")
    wanted = {
        "x-appservices-request-id": "<hex24>", "Vary": "<has:Origin>", "X-Frame-Options": "DENY",
        "Cache-Control": "no-cache, no-store, must-revalidate"}
    for name, value in wanted.items():
        problem = matching.difference({name: answer.header(name)}, {name: value}, "headers")
        if problem:
            raise StepFailed(problem)
    if answer.status >= 400:
        check_error_body(answer)


def check_error_body(answer):
    body = answer.json()
    for name in ("error", "error_code", "link"):
        if name in body and not isinstance(body[name], str):
            raise StepFailed(f"{name} of an error is no string: {answer.text()}")
    if "error" not in body or set(body) - {"error", "error_code", "link"}:
        raise StepFailed(f"error body with wrong members: {answer.text()}")
