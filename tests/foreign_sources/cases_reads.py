"""Reading: every action of the client API and of function code, with and without rules that decide on each document."""

import datetime

import bson

from bench import needs

ITEMS = [{"_id": n, "kind": "even" if n % 2 == 0 else "odd", "n": n, "tags": ["all", f"t{n % 3}"], "deep": {"n": n * 10}}
         for n in range(10)]


def ids(documents):
    return [document["_id"] for document in documents]


def test_find_takes_query_projection_sort_and_limit(bench):
    bench.fill("open", *ITEMS)
    find = lambda **argument: bench.alice.data("find", "open", **argument)  # noqa: E731
    assert sorted(ids(find(query={"kind": "even", "n": {"$gt": 2}}))) == [4, 6, 8]
    assert find(query={"_id": 3}, project={"n": 1, "deep.n": 1}) == [{"_id": 3, "n": 3, "deep": {"n": 30}}]
    assert find(query={"_id": 3}, project={"_id": 0, "tags": 0, "deep": 0}) == [{"kind": "odd", "n": 3}]
    assert ids(find(query={}, sort={"kind": 1, "n": -1}, limit=6)) == [8, 6, 4, 2, 0, 9]
    assert sorted(ids(find(query={"$or": [{"tags": "t0", "n": {"$lt": 4}}, {"deep.n": {"$in": [80, 90]}}]}))) == [0, 3, 8, 9]
    assert sorted(ids(find(query={"tags": {"$all": ["all", "t1"]}, "deep": {"$exists": True}}))) == [1, 4, 7]


def test_find_one_gives_a_document_or_null(bench):
    bench.fill("open", *ITEMS)
    assert bench.alice.data("findOne", "open", query={"n": 4}) == ITEMS[4]
    assert bench.alice.data("findOne", "open", query={"n": 44}) is None
    assert bench.alice.data("findOne", "open", query={}, sort={"n": -1}, project={"n": 1}) == {"_id": 9, "n": 9}


def test_count_counts(bench):
    bench.fill("open", *ITEMS)
    assert bench.alice.data("count", "open", query={"kind": "odd"}) == 5
    assert bench.alice.data("count", "open", query={}, limit=3) == 3
    assert bench.alice.system("open", "count", {"n": {"$gte": 7}}) == 3


def test_aggregate_matches_groups_sorts_and_projects(bench):
    bench.fill("open", *ITEMS)
    pipeline = [{"$match": {"n": {"$gt": 0}}}, {"$group": {"_id": "$kind", "sum": {"$sum": "$n"}, "count": {"$sum": 1}}},
                {"$sort": {"_id": 1}}, {"$project": {"sum": 1}}]
    expected = [{"_id": "even", "sum": 20}, {"_id": "odd", "sum": 25}]
    assert bench.alice.data("aggregate", "open", pipeline=pipeline) == expected
    assert bench.alice.code("open", "aggregate", pipeline) == expected
    assert bench.alice.system("open", "aggregate", pipeline) == expected


def test_aggregate_limits_skips_and_unwinds(bench):
    bench.fill("open", *ITEMS)
    pipeline = [{"$sort": {"n": 1}}, {"$skip": 2}, {"$limit": 2}, {"$unwind": "$tags"}, {"$project": {"tags": 1}}]
    expected = [{"_id": 2, "tags": "all"}, {"_id": 2, "tags": "t2"}, {"_id": 3, "tags": "all"}, {"_id": 3, "tags": "t0"}]
    assert bench.alice.data("aggregate", "open", pipeline=pipeline) == expected
    assert bench.alice.system("open", "aggregate", pipeline) == expected


@needs("computed fields")
def test_aggregate_computes_in_the_source(bench):
    bench.fill("open", *ITEMS)
    pipeline = [{"$match": {"_id": 3}}, {"$project": {"twice": {"$multiply": ["$n", 2]}}}]
    assert bench.alice.system("open", "aggregate", pipeline) == [{"_id": 3, "twice": 6}]


@needs("computed fields")
def test_aggregate_computes_for_users(bench):
    bench.fill("open", *ITEMS)
    pipeline = [{"$match": {"_id": 3}}, {"$project": {"twice": {"$multiply": ["$n", 2]}}}]
    assert bench.alice.data("aggregate", "open", pipeline=pipeline) == [{"_id": 3, "twice": 6}]


@needs("joins")
def test_aggregate_joins_collections_in_system_functions(bench):
    bench.fill("open", {"_id": 1, "of": "a"})
    bench.fill("typed", {"_id": "a", "name": "A"})
    pipeline = [{"$lookup": {"from": "typed", "localField": "of", "foreignField": "_id", "as": "joined"}}]
    assert bench.alice.system("open", "aggregate", pipeline) == [{"_id": 1, "of": "a", "joined": [{"_id": "a", "name": "A"}]}]


def test_distinct_gives_the_values(bench):
    bench.fill("open", *ITEMS)
    for run in (bench.alice.code, bench.alice.system):
        assert sorted(run("open", "distinct", "kind", {})) == ["even", "odd"]
        assert sorted(run("open", "distinct", "tags", {"n": {"$lt": 2}})) == ["all", "t0", "t1"]


@needs("collation")
def test_a_system_function_may_compare_by_collation(bench):
    bench.fill("open", {"_id": 1, "name": "Ann"}, {"_id": 2, "name": "ann"}, {"_id": 3, "name": "bob"})
    options = {"collation": {"locale": "en", "strength": 2}}
    found = bench.alice.system("open", "find", {"name": "ann"}, {}, options)
    assert sorted(ids(found)) == [1, 2], f"found {found}"


def test_a_cursor_of_many_batches_gives_every_document_once(bench):
    bench.fill("open", *({"_id": n, "text": "x" * 100} for n in range(3000)))
    assert sorted(ids(bench.alice.data("find", "open", query={}))) == list(range(3000))
    assert sorted(ids(bench.alice.system("open", "find", {}))) == list(range(3000))
    assert len(bench.alice.system("open", "aggregate", [{"$match": {"_id": {"$gte": 100}}}])) == 2900


# ---- Under rules that decide on each document.


def fill_notes(bench):
    bench.fill("notes", {"_id": 1, "owner": bench.alice.id, "title": "a", "stars": 1, "text": "mine"},
               {"_id": 2, "owner": bench.bob.id, "title": "b", "stars": 2, "public": True, "text": "secret"},
               {"_id": 3, "owner": bench.bob.id, "title": "c", "stars": 4, "text": "hidden"})


def test_a_user_reads_what_the_roles_allow(bench):
    fill_notes(bench)
    seen = {document["_id"]: document for document in bench.alice.data("find", "notes", query={})}
    assert seen == {1: {"_id": 1, "owner": bench.alice.id, "title": "a", "stars": 1, "text": "mine"},
                    2: {"_id": 2, "title": "b", "stars": 2}}
    assert bench.alice.data("findOne", "notes", query={"_id": 3}) is None
    assert bench.alice.code("notes", "findOne", {"_id": 2}) == {"_id": 2, "title": "b", "stars": 2}
    assert bench.alice.system("notes", "findOne", {"_id": 2})["text"] == "secret"


def test_counts_and_limits_see_readable_documents_only(bench):
    fill_notes(bench)
    assert bench.alice.data("count", "notes", query={}) == 2
    assert bench.bob.data("count", "notes", query={}) == 2
    assert ids(bench.alice.data("find", "notes", query={}, sort={"_id": -1}, limit=1)) == [2]
    assert bench.alice.code("notes", "distinct", "title", {}) in (["a", "b"], ["b", "a"])


def test_a_pipeline_sees_readable_documents_and_fields_only(bench):
    fill_notes(bench)
    pipeline = [{"$group": {"_id": None, "stars": {"$sum": "$stars"}, "texts": {"$push": "$text"}}}]
    assert bench.alice.data("aggregate", "notes", pipeline=pipeline) == [{"_id": None, "stars": 3, "texts": ["mine"]}]
    matched = bench.alice.data("aggregate", "notes", pipeline=[{"$match": {"text": "secret"}}])
    assert matched == [], matched


def test_filters_add_their_query_and_projection(bench):
    bench.fill("filtered", {"_id": 1, "secret": "s"}, {"_id": 2, "secret": "s", "dead": True}, {"_id": 3, "dead": False})
    found = bench.alice.data("find", "filtered", query={}, sort={"_id": 1})
    assert found == [{"_id": 1}, {"_id": 3, "dead": False}], found
    assert bench.alice.data("count", "filtered", query={}) == 2
    assert ids(bench.alice.data("aggregate", "filtered", pipeline=[{"$sort": {"_id": 1}}])) == [1, 3]
    assert bench.alice.system("filtered", "count", {}) == 3


# ---- Values.

VALUES = {"text": "äb", "yes": True, "nothing": None, "int": 7, "long": bson.Int64(2 ** 40), "double": 2.5,
          "date": datetime.datetime(2024, 5, 6, 7, 8, 9, 123000, datetime.timezone.utc), "id": bson.ObjectId(),
          "bytes": b"\0\1\2", "list": [1, {"two": [2, 3]}, "x"], "object": {"b": 1, "a": {}},
          "pattern": bson.Regex("^a", "i"), "stamp": bson.Timestamp(5, 6)}


def goes_through(bench, values):
    bench.fill("open")
    document = {"_id": "values", **values}

    def differing(found):
        return {name: (found.get(name), value) for name, value in document.items() if found.get(name) != value}

    bench.alice.data("insertOne", "open", document=document)
    for found in (bench.alice.data("findOne", "open", query={"_id": "values"}),
                  bench.alice.system("open", "findOne", {"_id": "values"})):
        assert found == document, differing(found)
    changed = bench.alice.data("findOneAndUpdate", "open", filter={"_id": "values"}, update={"$set": {"more": 1}},
                               returnNewDocument=True)
    assert changed == {**document, "more": 1}, differing(changed)


def test_values_go_through_unchanged(bench):
    goes_through(bench, VALUES)


@needs("NUL in texts")
def test_a_nul_in_a_text_goes_through_unchanged(bench):
    goes_through(bench, {"text": "a\0b"})


@needs("nested arrays")
def test_arrays_in_arrays_go_through_unchanged(bench):
    goes_through(bench, {"list": [1, [2, [3]]]})


@needs("decimals")
def test_decimals_go_through_unchanged(bench):
    goes_through(bench, {"decimal": bson.Decimal128("1.50")})


@needs("least and most")
def test_the_least_and_the_most_value_go_through_unchanged(bench):
    goes_through(bench, {"least": bson.MinKey(), "most": bson.MaxKey()})


@needs("binary subtypes")
def test_binary_data_of_every_kind_go_through_unchanged(bench):
    goes_through(bench, {"uuid": bson.Binary(b"0123456789abcdef", 4), "own": bson.Binary(b"x", 128)})
