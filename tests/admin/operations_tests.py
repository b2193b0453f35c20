"""What operators read of the server: the changes that administrators made, and how much was done."""

import json
import time
import urllib.parse

from admin_client import ADMIN, AdminClient, AppUser

SECRET = "hunter2-and-more"


def audit(admin, **filters):
    return admin.expect(200, "GET", f"{ADMIN}/groups/{admin.group}/audit_log?{urllib.parse.urlencode(filters)}")


def entries(admin, **filters):
    return audit(admin, **filters)["entries"]


def test_every_change_of_an_administrator_is_in_the_audit_log(server):
    admin = server.admin()
    admin.create_app("audited")
    app, client_app_id = admin.app, admin.client_app_id
    made = admin.call("POST", admin.path("/secrets"), {"name": "key", "value": SECRET})
    admin.get("/secrets")
    refused = admin.call("POST", admin.path("/values"), {"name": "bad name", "value": SECRET})
    assert (made.status, refused.status) == (201, 400)
    found = entries(admin, app=app)
    assert [(one["request_method"], one["request_url"].rpartition("/")[2], one["status"]) for one in found] == [
        ("POST", "values", 400), ("POST", "secrets", 201), ("POST", "apps", 201)], found
    of_secret = found[1]
    assert of_secret["co_id"] == made.headers["x-appservices-request-id"], of_secret
    assert of_secret["username"] == "unique_user@domain.com" and len(of_secret["user_id"]) == 24
    assert of_secret["remote_ip_address"] == "127.0.0.1" and of_secret["origin"] == "API"
    assert of_secret["app_id"] == app and of_secret["client_app_id"] == client_app_id
    assert of_secret["time"].endswith("Z") and of_secret["request_url"] == admin.path("/secrets")
    assert SECRET not in json.dumps(found)
    assert admin.get("/audit_log")["entries"] == found
    # Deleting the app deletes nothing of this.
    admin.delete_app()
    gone = entries(admin, app=client_app_id)
    assert [one["request_method"] for one in gone] == ["DELETE", "POST", "POST", "POST"], gone


def test_sign_ins_of_administrators_are_in_the_audit_log(server):
    before = len(entries(server.admin(), path="/login"))
    stranger = AdminClient(server.process.url)
    wrong = {"username": "somebody@domain.com", "password": SECRET}
    stranger.expect(401, "POST", f"{ADMIN}/auth/providers/local-userpass/login", wrong)
    stranger.expect(401, "GET", f"{ADMIN}/auth/profile", token="nonsense")
    stranger.expect(401, "POST", f"{ADMIN}/groups/x/apps", {"name": "x"}, token="nonsense")
    admin = server.admin()
    admin.expect(201, "POST", f"{ADMIN}/auth/session", token=admin.refresh_token)
    found = entries(admin, path="/login")
    assert len(found) == before + 2, found
    assert [(one["status"], one.get("username")) for one in found[:2]] == [
        (200, "unique_user@domain.com"), (401, None)], found
    assert SECRET not in json.dumps(found) and "somebody" not in json.dumps(found)


def test_the_audit_log_is_filtered_and_read_in_pages(server):
    admin = server.admin()
    admin.create_app("paged")
    ids = [admin.post("/values", {"name": f"v{number}", "value": number})["_id"] for number in range(7)]
    admin.delete(f"/values/{ids[0]}")
    of_app = {"app": admin.app}
    assert len(entries(admin, **of_app, method="DELETE")) == 1
    assert len(entries(admin, **of_app, path=f"/values/{ids[0]}")) == 1
    assert entries(admin, **of_app, path="$where") == []
    assert entries(admin, **of_app, user="nobody") == []
    assert len(entries(admin, **of_app, user="unique_user@domain.com", limit=3)) == 3
    everything = entries(admin, **of_app)
    user = everything[0]["user_id"]
    assert entries(admin, **of_app, user=user) == everything and len(everything) == 9
    assert entries(admin, co_id=everything[2]["co_id"]) == [everything[2]]
    assert entries(admin, **of_app, errors_only="") == []
    assert entries(admin, **of_app, start_date=everything[0]["time"]) == []
    pages, query = [], {"limit": 4}
    while True:
        page = audit(admin, **of_app, **query)
        pages.append(page["entries"])
        if "nextEndDate" not in page:
            break
        query = {"limit": 4, "end_date": page["nextEndDate"], "skip": page["nextSkip"]}
    assert [len(page) for page in pages] == [4, 4, 1], pages
    assert sum(pages, []) == everything
    refused = admin.expect(400, "GET", f"{ADMIN}/groups/{admin.group}/audit_log?start_date=yesterday")
    assert refused["error"] == "'start_date' must be an RFC 3339 time", refused
    refused = admin.expect(400, "GET", f"{ADMIN}/groups/{admin.group}/audit_log?user=%ff")
    assert "UTF-8" in refused["error"], refused
    admin.expect(404, "GET", f"{ADMIN}/groups/{'0' * 24}/audit_log")
    admin.delete_app()


def iso(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def measured(admin, path, **query):
    answer = admin.get(f"{path}?{urllib.parse.urlencode(query)}")
    return answer, {one["name"]: one for one in answer["measurements"]}


def values(measurement):
    return [point["value"] for point in measurement["data_points"]]


def test_metrics_have_a_point_for_every_period(server):
    admin = server.admin()
    admin.create_app("measured")
    admin.post("/auth_providers", {"type": "anon-user"})
    for name, source in (("fine", "exports = () => 1;"), ("fails", "exports = () => { throw new Error('x'); };"),
                         ("slow", "exports = () => new Promise((done) => setTimeout(done, 300));")):
        admin.post("/functions", {"name": name, "private": False, "source": source})
    user = AppUser(admin)
    user.login()
    for _ in range(3):
        user.call("fine")
    user.call("fails", status=400)
    user.call("slow")
    deadline = time.monotonic() + 10
    while len(admin.get("/logs")["logs"]) < 6 and time.monotonic() < deadline:
        time.sleep(0.05)
    now = int(time.time())
    query = {"start": iso(now - 3600), "end": iso(now + 1800), "granularity": "PT1H"}
    answer, found = measured(admin, "/metrics", **query)
    assert {name: answer[name] for name in ("app_id", "app_name", "group_id", "granularity", "start", "end")} == {
        "app_id": admin.app, "app_name": "measured", "group_id": admin.group, "granularity": "PT1H",
        "start": query["start"], "end": query["end"]}, answer
    calls = found["SDK_SUCCESSFUL_REQUESTS"]
    assert calls["units"] == "SCALAR_PER_SECOND"
    assert [point["timestamp"] for point in calls["data_points"]] == [iso(now), iso(now + 1800)], calls
    # The calls may lie in either period, but for the second that the first one ends in.
    total = values(calls)[0] * 3600 + values(calls)[1] * 1800
    assert abs(total - 4) < 1e-6, calls
    failed = values(found["SDK_FAILED_REQUESTS"])
    assert abs(failed[0] * 3600 + failed[1] * 1800 - 1) < 1e-6, failed
    assert max(values(found["SDK_FNS_RESPONSE_MS"])) >= 250
    assert found["SDK_FNS_RESPONSE_MS"]["units"] == "MILLISECONDS"
    overall = values(found["OVERALL_SUCCESSFUL_REQUESTS"])
    assert abs(overall[0] * 3600 + overall[1] * 1800 - 5) < 1e-6, overall  # and the sign-in
    assert values(found["TRIGGERS_SUCCESSFUL_REQUESTS"]) == [0, 0]
    _, found = measured(admin, "/metrics", **query, metrics="AUTH_SUCCESSFUL_LOGIN,SDK_COMPUTE_MS")
    assert sorted(found) == ["AUTH_SUCCESSFUL_LOGIN", "SDK_COMPUTE_MS"]
    admin.delete_app()


def test_measurements_are_those_of_the_month_or_of_a_given_time(server):
    admin = server.admin()
    admin.create_app("billed")
    admin.post("/auth_providers", {"type": "anon-user"})
    AppUser(admin).login()
    deadline = time.monotonic() + 10
    while not admin.get("/logs")["logs"] and time.monotonic() < deadline:
        time.sleep(0.05)
    answer, found = measured(admin, "/measurements")
    assert answer["granularity"] == "P31D" and answer["start"][8:] == "01T00:00:00Z" == answer["end"][8:], answer
    assert sorted(found) == ["compute_time", "data_out", "mem_usage", "request_count", "sync_time"]
    assert values(found["request_count"]) == [1] and found["compute_time"]["units"] == "HOURS"
    now = int(time.time())
    _, found = measured(admin, "/measurements", start=iso(now - 3 * 3600), end=iso(now + 3600), granularity="PT1H")
    assert len(values(found["request_count"])) == 4 and sum(values(found["request_count"])) == 1, found
    group = admin.expect(200, "GET", f"{ADMIN}/groups/{admin.group}/measurements")
    assert next(one for one in group["measurements"] if one["name"] == "request_count")["data_points"][0]["value"] >= 1
    admin.delete_app()


def test_a_period_that_makes_no_sense_is_refused(server):
    admin = server.admin()
    admin.create_app("unmeasured")
    day = {"start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z", "granularity": "PT1H"}

    def refusal(**changed):
        query = {name: value for name, value in {**day, **changed}.items() if value is not None}
        return admin.get(f"/metrics?{urllib.parse.urlencode(query)}", 400)["error"]

    assert len(measured(admin, "/metrics", **day)[1]["OVERALL_COMPUTE_MS"]["data_points"]) == 24
    for name in day:
        assert refusal(**{name: None}) == f"'{name}' is required"
    assert refusal(end=day["start"]) == "'end' must be later than 'start'"
    assert refusal(granularity="PT1S") == "the period has more than 2000 points of that granularity"
    assert refusal(granularity="P1M").startswith("'granularity' must be an ISO 8601 duration of weeks, days")
    assert refusal(start="soon") == "'start' must be an RFC 3339 time"
    assert refusal(metrics="SYNC_MINUTES") == "the server does not measure 'SYNC_MINUTES'"
    assert admin.get("/measurements?granularity=PT5M", 400)["error"] == "'granularity' must be P31D or PT1H"
    admin.delete_app()
