"""Writing by every action of the client API and of function code, where rules leave the decision to the source."""

from bench import needs, refused


def test_inserts_give_the_ids(bench):
    bench.fill("open")
    assert bench.alice.data("insertOne", "open", document={"_id": "a"}) == {"insertedId": "a"}
    made = bench.alice.data("insertOne", "open", document={"n": 1})["insertedId"]
    answer = bench.alice.data("insertMany", "open", documents=[{"_id": "b"}, {"_id": "c", "n": 2}])
    assert answer == {"insertedIds": ["b", "c"]}, answer
    assert set(bench.stored("open")) == {"a", "b", "c", made}
    assert bench.alice.system("open", "insertOne", {"_id": "d"}) == {"insertedId": "d"}
    assert bench.alice.code("open", "insertMany", [{"_id": "e"}, {"_id": "f"}])["insertedIds"] in (
        ["e", "f"], {"0": "e", "1": "f"})


def test_updates_tell_what_they_did(bench):
    bench.fill("open", {"_id": 1, "n": 1}, {"_id": 2, "n": 2}, {"_id": 3, "n": 2})
    update = lambda action, **argument: bench.alice.data(action, "open", **argument)  # noqa: E731
    assert update("updateOne", query={"n": 2}, update={"$inc": {"n": 10}}) == {"matchedCount": 1, "modifiedCount": 1}
    assert update("updateMany", query={"n": {"$lt": 20}}, update={"$set": {"seen": True}}) == {
        "matchedCount": 3, "modifiedCount": 3}
    assert update("updateMany", query={"_id": 1}, update={"$set": {"seen": True}}) == {
        "matchedCount": 1, "modifiedCount": 0}
    assert update("updateOne", query={"_id": 77}, update={"$set": {"seen": True}}) == {
        "matchedCount": 0, "modifiedCount": 0}
    assert update("updateOne", query={"_id": 4}, update={"$set": {"n": 4}}, upsert=True) == {
        "matchedCount": 0, "modifiedCount": 0, "upsertedId": 4}
    assert update("updateMany", query={"_id": 5, "k": "v"}, update={"$inc": {"n": 5}}, upsert=True)["upsertedId"] == 5
    stored = bench.stored("open")
    assert stored[4] == {"_id": 4, "n": 4} and stored[5] == {"_id": 5, "k": "v", "n": 5}
    assert stored[1] == {"_id": 1, "n": 1, "seen": True} and stored[2]["n"] + stored[3]["n"] == 14


def test_update_operators_work(bench):
    bench.fill("open", {"_id": 1, "n": 2, "list": [1, 2, 3], "old": "x", "deep": {"a": 1}})
    for update in ({"$mul": {"n": 5}}, {"$push": {"list": 4}}, {"$pull": {"list": 2}}, {"$unset": {"old": ""}},
                   {"$set": {"deep.b": 2}}, {"$addToSet": {"list": 1}}, {"$max": {"n": 3}}, {"$rename": {"n": "m"}}):
        bench.alice.data("updateOne", "open", query={"_id": 1}, update=update)
    assert bench.stored("open") == {1: {"_id": 1, "m": 10, "list": [1, 3, 4], "deep": {"a": 1, "b": 2}}}


@needs("array filters")
def test_array_filters_choose_elements(bench):
    bench.fill("open", {"_id": 1, "list": [1, 5, 9]})
    with bench.all_or_nothing("open"):
        bench.alice.data("updateOne", "open", query={"_id": 1}, update={"$set": {"list.$[big]": 0}},
                         arrayFilters=[{"big": {"$gt": 4}}])
    assert bench.stored("open")[1]["list"] == [1, 0, 0]


@needs("update pipelines")
def test_a_pipeline_updates(bench):
    bench.fill("open", {"_id": 1, "n": 2})
    with bench.all_or_nothing("open"):
        bench.alice.system("open", "updateOne", {"_id": 1}, [{"$set": {"twice": {"$multiply": ["$n", 2]}}}])
    assert bench.stored("open")[1]["twice"] == 4


def test_an_update_without_operators_replaces(bench):
    bench.fill("open", {"_id": 1, "n": 1, "m": 1}, {"_id": 2, "n": 1})
    for answer in (bench.alice.data("updateOne", "open", query={"_id": 1}, update={"k": 1}),
                   bench.alice.code("open", "replaceOne", {"_id": 2}, {"k": 1})):
        assert answer == {"matchedCount": 1, "modifiedCount": 1}, answer
    assert bench.stored("open") == {1: {"_id": 1, "k": 1}, 2: {"_id": 2, "k": 1}}
    assert bench.alice.code("open", "replaceOne", {"_id": 3}, {"new": 1}, {"upsert": True})["upsertedId"] == 3
    assert bench.stored("open")[3] == {"_id": 3, "new": 1}


@needs("decided writes")
def test_an_update_of_many_without_operators_replaces_each(bench):
    bench.fill("open", {"_id": 1, "n": 1, "k": 1}, {"_id": 2, "n": 1}, {"_id": 3})
    with bench.all_or_nothing("open"):
        assert bench.alice.data("updateMany", "open", query={"n": 1}, update={"all": 1})["modifiedCount"] == 2
    assert bench.stored("open") == {1: {"_id": 1, "all": 1}, 2: {"_id": 2, "all": 1}, 3: {"_id": 3}}
    assert bench.alice.system("open", "updateMany", {"all": 1}, {"m": 1})["modifiedCount"] == 2


def test_find_and_modify_gives_the_document_before_or_after(bench):
    bench.fill("open", {"_id": 1, "n": 1}, {"_id": 2, "n": 2}, {"_id": 3, "n": 3})
    run = lambda action, **argument: bench.alice.data(action, "open", **argument)  # noqa: E731
    assert run("findOneAndUpdate", filter={"_id": 1}, update={"$inc": {"n": 10}}) == {"_id": 1, "n": 1}
    assert run("findOneAndUpdate", filter={"_id": 1}, update={"$inc": {"n": 10}}, returnNewDocument=True) == {"_id": 1, "n": 21}
    assert run("findOneAndUpdate", filter={}, sort={"n": -1}, update={"$set": {"top": 1}}, projection={"n": 1}) == {"_id": 1, "n": 21}
    assert run("findOneAndReplace", filter={"_id": 2}, update={"m": 2}, returnNewDocument=True) == {"_id": 2, "m": 2}
    assert run("findOneAndDelete", filter={"n": {"$exists": True}}, sort={"n": 1}) == {"_id": 3, "n": 3}
    assert run("findOneAndDelete", filter={"_id": 3}) is None
    assert run("findOneAndUpdate", filter={"_id": 9}, update={"$set": {"n": 9}}) is None
    assert run("findOneAndUpdate", filter={"_id": 9}, update={"$set": {"n": 9}}, upsert=True, returnNewDocument=True) == {"_id": 9, "n": 9}
    assert run("findOneAndUpdate", filter={"_id": 8}, update={"$set": {"n": 8}}, upsert=True) is None
    assert bench.stored("open") == {1: {"_id": 1, "n": 21, "top": 1}, 2: {"_id": 2, "m": 2}, 9: {"_id": 9, "n": 9},
                                    8: {"_id": 8, "n": 8}}
    assert bench.alice.system("open", "findOneAndUpdate", {"_id": 8}, {"$inc": {"n": 1}}, {"returnNewDocument": True})["n"] == 9


def test_deletions_count(bench):
    bench.fill("open", *({"_id": n, "even": n % 2 == 0} for n in range(6)))
    assert bench.alice.data("deleteOne", "open", query={"even": True}) == {"deletedCount": 1}
    assert bench.alice.data("deleteMany", "open", query={"even": True}) == {"deletedCount": 2}
    assert bench.alice.data("deleteOne", "open", query={"_id": 77}) == {"deletedCount": 0}
    assert bench.alice.system("open", "deleteMany", {}) == {"deletedCount": 3}
    assert bench.stored("open") == {}


BULK = [{"insertOne": {"document": {"_id": 3}}}, {"updateOne": {"filter": {"_id": 1}, "update": {"$set": {"n": 1}}}},
        {"replaceOne": {"filter": {"_id": 3}, "replacement": {"m": 3}}}, {"deleteOne": {"filter": {"_id": 2}}},
        {"updateMany": {"filter": {"_id": 4}, "update": {"$set": {"n": 4}}, "upsert": True}}]


def test_bulk_writes_run_one_after_the_other(bench):
    for run in (bench.alice.code, bench.alice.system):
        bench.fill("open", {"_id": 1}, {"_id": 2})
        run("open", "bulkWrite", BULK)
        assert bench.stored("open") == {1: {"_id": 1, "n": 1}, 3: {"_id": 3, "m": 3}, 4: {"_id": 4, "n": 4}}


def test_a_bulk_write_stops_at_its_first_failure(bench):
    for run in (bench.alice.code, bench.alice.system):
        bench.fill("open", {"_id": 1})
        models = [{"insertOne": {"document": {"_id": n}}} for n in (2, 1, 3)]
        refused(400, "FunctionExecutionError", "Duplicate key error: E11000 duplicate key error collection: shop.open",
                lambda: run("open", "bulkWrite", models))
        assert set(bench.stored("open")) == {1, 2}


def test_a_duplicate_key_reads_as_from_the_embedded_cluster(bench):
    bench.fill("open", {"_id": "twice", "n": 1})
    refused(400, "MongoDBError", "Duplicate key error: E11000 duplicate key error collection: shop.open",
            lambda: bench.alice.data("insertOne", "open", document={"_id": "twice"}))
    assert bench.stored("open") == {"twice": {"_id": "twice", "n": 1}}


def test_an_insert_of_many_ends_at_its_first_failure(bench):
    bench.fill("open", {"_id": 2, "n": 1})
    refused(400, "MongoDBError", "Duplicate key error",
            lambda: bench.alice.data("insertMany", "open", documents=[{"_id": 1}, {"_id": 2}, {"_id": 3}]))
    assert sorted(bench.stored("open")) == [1, 2]
    refused(400, "MongoDBError", "Duplicate key error",
            lambda: bench.alice.data("insertMany", "open", documents=[{"_id": 2}, {"_id": 4}], ordered=False))
    assert sorted(bench.stored("open")) == [1, 2, 4]


def test_unknown_operators_are_refused(bench):
    bench.fill("open", {"_id": 1, "n": 1})
    refused(400, "MongoDBError", "operator", lambda: bench.alice.data("find", "open", query={"n": {"$who": 1}}))
    refused(400, "MongoDBError", "modifier", lambda: bench.alice.data("updateOne", "open", query={"_id": 1}, update={"$who": {"n": 1}}))
    refused(400, "MongoDBError", "pipeline", lambda: bench.alice.data("aggregate", "open", pipeline=[{"$who": {}}]))
    assert bench.stored("open") == {1: {"_id": 1, "n": 1}}


@needs("unique indexes")
def test_a_unique_index_of_the_source_holds(bench):
    bench.fill("unique")
    bench.collection("unique").create_index("email", unique=True)
    bench.alice.system("unique", "insertOne", {"_id": 1, "email": "a"})
    refused(400, "FunctionExecutionError", "Duplicate key error",
            lambda: bench.alice.system("unique", "insertOne", {"_id": 2, "email": "a"}))
    assert set(bench.stored("unique")) == {1}


def test_inserts_of_thousands_are_all_stored(bench):
    bench.fill("open")
    documents = [{"_id": n} for n in range(2500)]
    assert len(bench.alice.data("insertMany", "open", documents=documents)["insertedIds"]) == 2500
    bench.alice.system("open", "insertMany", [{"_id": n} for n in range(2500, 5000)])
    assert sorted(bench.stored("open")) == list(range(5000))
