"""Configuration directories for the tests, composed here because some hold the port of a fake provider."""

import json

HS256_KEY = "0123456789abcdefghijklmnopqrstuvwxyz"

CONFIRM = """
exports = function ({ token, tokenId, username }) {
  if (username.startsWith("throw")) throw new Error("no");
  if (username.startsWith("fail")) return { status: "fail" };
  if (username.startsWith("later")) {
    return context.services.get("main").db("t").collection("tokens")
      .insertOne({ _id: username, token, tokenId }).then(() => ({ status: "pending" }));
  }
  return { status: "success" };
};
"""

RESET = """
exports = async function ({ token, tokenId, username, password, currentPasswordValid }, answer, ...rest) {
  await context.services.get("main").db("t").collection("resets").insertOne(
    { username, token, tokenId, password, currentPasswordValid, rest });
  if (answer === "throw") throw new Error("no");
  return { status: answer };
};
"""

SIGN_IN = """
exports = async function (payload) {
  if (payload.how === "throw") throw new Error("you shall not pass");
  if (payload.how === "object") return { id: payload.name, name: "Name of " + payload.name };
  if (payload.how === "number") return 7;
  if (payload.how === "empty") return "";
  return payload.name + Object.keys(payload).length;
};
"""

KEPT = """
exports = async function (collection, filter) {
  return context.services.get("main").db("t").collection(collection).findOne(filter);
};
"""


def write(root, name, providers, secrets=None):
    """A directory with the four functions above, a push service and the given providers; its path."""
    folder = root / name
    files = {
        "realm_config.json": {"config_version": 20210101, "app_id": f"{name}-aaaaa", "name": name},
        "auth/providers.json": {kind: {"name": kind, "type": kind, "disabled": False, **settings}
                                for kind, settings in providers.items()},
        "data_sources/main/config.json": {"name": "main", "type": "mongodb-atlas", "config": {"clusterName": "C"}},
        "services/push/config.json": {"name": "push", "type": "gcm", "config": {"senderId": "1"}},
        "functions/config.json": [{"name": function, "private": function != "kept", "run_as_system": True}
                                  for function in ("confirm", "reset", "signIn", "kept")],
        "functions/confirm.js": CONFIRM,
        "functions/reset.js": RESET,
        "functions/signIn.js": SIGN_IN,
        "functions/kept.js": KEPT,
    }
    if secrets:
        files["secrets.json"] = {"auth_providers": secrets}
    for path, content in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content if isinstance(content, str) else json.dumps(content, indent=2))
    return str(folder)


def write_all(root, provider_url):
    functions = {
        "anon-user": {},
        "api-key": {},
        "custom-function": {"config": {"authFunctionName": "signIn"}},
        "custom-token": {
            "config": {"signingAlgorithm": "HS256", "useJWKURI": False, "audience": ""},
            "secret_config": {"signingKeys": ["jwt_key"]},
            "metadata_fields": [{"required": True, "name": "email"},
                                {"required": False, "name": "profile.first\\.name", "field_name": "first"},
                                {"required": False, "name": "tags"}],
        },
        "local-userpass": {"config": {"autoConfirm": False, "runConfirmationFunction": True,
                                      "confirmationFunctionName": "confirm", "runResetFunction": True,
                                      "resetFunctionName": "reset"}},
    }
    mail = {
        "anon-user": {},
        "local-userpass": {"config": {"autoConfirm": False, "emailConfirmationUrl": "https://app.example.org/confirm?a=1",
                                      "confirmEmailSubject": "Wilkömmen", "resetPasswordUrl": "https://app.example.org/reset"}},
    }
    keys = {
        "custom-token": {"config": {"useJWKURI": True, "jwkURI": f"{provider_url}/jwks", "signingAlgorithm": "RS256",
                                    "audience": ["one", "two"], "requireAnyAudience": True}},
        "oauth2-google": {"config": {"clientId": "google-client", "openId": True}},
        "oauth2-apple": {"config": {"clientId": "apple-client"}},
        "oauth2-facebook": {"config": {"clientId": "fb-client"}, "secret_config": {"clientSecret": "fb_secret"},
                            "metadata_fields": [{"name": "name", "required": True}, {"name": "picture", "required": False},
                                                {"name": "min_age", "required": False}]},
    }
    codes = {
        "oauth2-google": {"config": {"clientId": "google-client", "openId": False},
                          "secret_config": {"clientSecret": "g_secret"},
                          "metadata_fields": [{"name": "email", "required": True}, {"name": "first_name", "required": False}],
                          "domain_restrictions": ["example.org"]},
    }
    page = "http://app.example.org/redirect"
    pages = {
        "anon-user": {},
        "oauth2-google": {**codes["oauth2-google"], "redirect_uris": [page, page + "?a=1"], "domain_restrictions": []},
        "oauth2-facebook": {**keys["oauth2-facebook"], "redirect_uris": [page]},
        "oauth2-apple": {"config": {"clientId": "apple-client"}, "secret_config": {"clientSecret": "a_secret"},
                         "metadata_fields": [{"name": "email", "required": False}], "redirect_uris": [page]},
    }
    open_id = {"oauth2-google": {**keys["oauth2-google"], "secret_config": {"clientSecret": "g_secret"},
                                 "redirect_uris": [page]}}
    every_key = {"all": {"custom-token": {"config": {"signingAlgorithm": "HS256", "useJWKURI": False,
                                                     "audience": ["one", "two"], "issuer": "https://issuer.example.org"},
                                          "secret_config": {"signingKeys": ["all_key"]}}}}
    return [
        write(root, "functions", functions, {"custom-token": {"signingKeys": [HS256_KEY]}}),
        write(root, "mail", mail),
        write(root, "keys", keys, {"oauth2-facebook": {"clientSecret": "facebook-secret"}}),
        write(root, "codes", codes, {"oauth2-google": {"clientSecret": "google-secret"}}),
        write(root, "pages", pages, {"oauth2-google": {"clientSecret": "google-secret"},
                                     "oauth2-facebook": {"clientSecret": "facebook-secret"},
                                     "oauth2-apple": {"clientSecret": "apple-secret"}}),
        write(root, "openid", open_id, {"oauth2-google": {"clientSecret": "google-secret"}}),
        write(root, "linking", {**open_id, "anon-user": {}}, {"oauth2-google": {"clientSecret": "google-secret"}}),
        write(root, "all", every_key["all"], {"custom-token": {"signingKeys": [HS256_KEY]}}),
    ]
