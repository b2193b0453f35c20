"""Signing in and linking on the pages of Google, Facebook and Apple: the redirect flow of browsers."""

import base64
import json
import urllib.parse

from browser import PAGE, Browser, fragment_of

STATE = "abcdefghijkl"


def start_url(app, provider, **query):
    device = base64.b64encode(json.dumps({"platform": "chrome", "sdkVersion": "2.0.1"}).encode()).decode()
    values = {"state": STATE, "redirect": PAGE, "device": device, **query}
    return f"{app._app}/auth/providers/oauth2-{provider}/login?" + urllib.parse.urlencode(
        {name: value for name, value in values.items() if value is not None})


def session_in(fields):
    assert fields["_baas_state"] == STATE and fields["_stitch_state"] == STATE, fields
    assert fields["_baas_ua"] == fields["_stitch_ua"] and "_baas_error" not in fields, fields
    access, refresh, user, device = fields["_baas_ua"].split("$")
    return {"access_token": access, "refresh_token": refresh, "user_id": user, "device_id": device}


def test_each_provider_signs_in_on_its_page(bench):
    app = bench.app("pages")
    for provider, identity, data in (("google", "g-ada", {"email": "ada@example.org", "first_name": "Ada"}),
                                     ("facebook", "fb-1", {"name": "Fay", "picture": "https://pic", "min_age": 21}),
                                     ("apple", "a-page", {"email": "a@example.org"})):
        browser = Browser()
        fields = browser.follow(start_url(app, provider))
        assert fields["_baas_client_app_id"] == "pages-aaaaa", fields
        session = session_in(fields)
        profile = app.profile(session)
        assert profile["user_id"] == session["user_id"], profile
        assert [(entry["provider_type"], entry["id"]) for entry in profile["identities"]] == [
            (f"oauth2-{provider}", identity)], profile
        assert {name: value if isinstance(value, str) else int(value["$numberInt"])
                for name, value in profile["data"].items()} == data, profile
        assert app.refresh(session)["access_token"]
        assert browser.cookies == {}, browser.cookies
        again = session_in(Browser().follow(start_url(app, provider)))
        assert again["user_id"] == session["user_id"]


def test_google_is_asked_for_what_the_metadata_needs(bench):
    Browser().follow(start_url(bench.app("pages"), "google"))
    assert bench.provider.asked["scope"] == "openid email profile", bench.provider.asked
    Browser().follow(start_url(bench.app("openid"), "google"))
    assert bench.provider.asked["scope"] == "openid", bench.provider.asked
    assert bench.provider.asked["response_type"] == "code"


def test_with_openid_connect_the_token_of_the_code_signs_in(bench):
    app = bench.app("openid")
    session = session_in(Browser().follow(start_url(app, "google")))
    assert app.profile(session)["identities"][0]["id"] == "g-openid"


def test_apple_may_answer_with_a_form(bench):
    app = bench.app("pages")
    browser = Browser()
    _, headers, _ = browser.get(start_url(app, "apple"))
    assert "response_mode=form_post" in headers["location"] and "scope=email" in headers["location"], headers
    _, headers, _ = browser.get(headers["location"])
    callback, _, query = headers["location"].partition("?")
    status, headers, _ = browser.get(callback, body=query)
    assert status == 302, status
    assert session_in(fragment_of(headers["location"]))["user_id"]


def test_a_person_who_declines_comes_back_with_the_reason(bench):
    app = bench.app("pages")
    bench.provider.denies = True
    try:
        fields = Browser().follow(start_url(app, "facebook"))
    finally:
        bench.provider.denies = False
    assert fields["_baas_error"] == "access_denied" and fields["_baas_state"] == STATE and "_baas_ua" not in fields, fields


def link_away(app, session, browser):
    """Where the provider's page is, after the checks of what a script of the app needs to see."""
    url = start_url(app, "google", link="true", providerRedirectHeader="true", device=None)
    status, headers, body = browser.get(url, {"Origin": "http://app.example.org",
                                              "Authorization": f"Bearer {session['access_token']}"})
    assert (status, body) == (200, b"") and "content-type" not in headers, (status, body)
    assert headers["access-control-allow-origin"] == "http://app.example.org"
    assert headers["access-control-allow-credentials"] == "true"
    assert "x-baas-location" in headers["access-control-expose-headers"]
    return headers["x-baas-location"]


def test_linking_answers_with_a_header_and_appends_the_identity(bench):
    app = bench.app("linking")
    session = app.login("anon-user", {})
    browser = Browser()
    fields = browser.follow(link_away(app, session, browser))
    assert fields["_baas_link"] == "ok" and fields["_stitch_link"] == "ok", fields
    linked = session_in(fields)
    assert linked["user_id"] == session["user_id"]
    kinds = [entry["provider_type"] for entry in app.profile(linked)["identities"]]
    assert kinds == ["anon-user", "oauth2-google"], kinds
    assert session_in(Browser().follow(start_url(app, "google")))["user_id"] == session["user_id"]
    stranger, other = app.login("anon-user", {}), Browser()
    fields = other.follow(link_away(app, stranger, other))
    assert fields["_baas_error"] == "unauthorized" and "_baas_ua" not in fields, fields


def test_linking_needs_the_access_token_of_a_user_of_the_app(bench):
    app = bench.app("linking")
    url = start_url(app, "google", link="true", providerRedirectHeader="true")
    foreign = bench.app("pages").login("anon-user", {})
    for token, code in ((None, ""), (foreign["access_token"], "UserAppDomainMismatch"), (foreign["refresh_token"], "UserAppDomainMismatch")):
        status, headers, body = Browser().get(url, {"Authorization": f"Bearer {token}"} if token else {})
        assert (status, json.loads(body).get("error_code", "")) == (401, code), body
        assert "x-baas-location" not in headers and "set-cookie" not in headers


def test_only_pages_of_the_configuration_are_gone_back_to(bench):
    app = bench.app("pages")
    for page in ("http://evil.example.org/", PAGE + "/", PAGE + "?a=2", PAGE.upper(), "javascript:alert(1)", None):
        status, headers, body = Browser().get(start_url(app, "google", redirect=page))
        assert status == 400 and "location" not in headers, (page, status)
        assert json.loads(body)["error_code"] == "InvalidParameter", body
    assert session_in(Browser().follow(start_url(app, "google", redirect=PAGE + "?a=1")))
    status, headers, _ = Browser().get(start_url(app, "google", redirect=None), {"Referer": PAGE})
    assert status == 302 and headers["location"].startswith(bench.provider.url), headers


def test_providers_without_a_page_are_not_found(bench):
    for name, provider in (("pages", "nothing"), ("keys", "google")):
        status, _, body = Browser().get(start_url(bench.app(name), provider))
        assert (status, json.loads(body)["error_code"]) in ((404, "AuthProviderNotFound"), (400, "InvalidParameter")), body
    status, _, body = Browser().get(start_url(bench.app("pages"), "google").replace("oauth2-google", "anon-user"))
    assert (status, json.loads(body)["error_code"]) == (404, "AuthProviderNotFound"), body


def test_another_browser_cannot_end_a_sign_in(bench):
    app = bench.app("pages")
    attacker = Browser()
    _, headers, _ = attacker.get(start_url(app, "google"))
    _, headers, _ = attacker.get(headers["location"])
    fields = Browser().get(headers["location"])[1]["location"]
    assert "_baas_error=another%20browser" in fields and "_baas_ua" not in fields, fields
    thief = Browser()
    thief.cookies = {name: "0" * len(value) for name, value in attacker.cookies.items()}
    assert "_baas_ua" not in thief.get(headers["location"])[1]["location"]


def test_a_state_that_was_not_made_here_ends_nowhere(bench):
    app = bench.app("pages")
    browser = Browser()
    _, headers, _ = browser.get(start_url(app, "google"))
    state = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(headers["location"]).query))["state"]
    session = app.login("anon-user", {})
    for bad in ("", "x", state[:-3] + "AAA", session["access_token"], session["refresh_token"]):
        query = urllib.parse.urlencode({"state": bad, "code": "code-o"})
        status, headers, body = browser.get(f"{app.base}/auth/callback?{query}")
        assert status == 400 and "location" not in headers, (bad, status)
        assert json.loads(body)["error_code"] == "BadRequest", body
    from black_box import Refused, request_json
    try:
        request_json("GET", f"{app.base}/auth/profile", token=state)
        raise AssertionError("a state was taken for an access token")
    except Refused as refusal:
        assert refusal.status == 401, refusal
