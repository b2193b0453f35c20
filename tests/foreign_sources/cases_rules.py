"""Writes that rules decide on document by document: what is refused must leave everything as it was."""

from bench import denied, needs, refused
from cases_reads import VALUES, fill_notes


# ---- What needs no look at a stored document works everywhere.


def test_an_insert_that_is_not_permitted_stores_nothing(bench):
    fill_notes(bench)
    denied(bench, "notes", "insert", lambda: bench.alice.data("insertOne", "notes", document={"_id": 9, "owner": "me"}))
    denied(bench, "notes", "insert", lambda: bench.alice.data("insertMany", "notes", documents=[
        {"_id": 8, "owner": bench.alice.id}, {"_id": 9, "owner": bench.bob.id}]))
    bench.fill("sealed", {"_id": 1})
    denied(bench, "sealed", "insert", lambda: bench.alice.data("insertOne", "sealed", document={"_id": 2}))
    denied(bench, "sealed", "insert", lambda: bench.alice.data(
        "updateOne", "sealed", query={"_id": 2}, update={"$set": {"n": 1}}, upsert=True))
    refused(400, "FunctionExecutionError", "insert not permitted",
            lambda: bench.alice.code("sealed", "insertOne", {"_id": 2}))
    assert bench.stored("sealed") == {1: {"_id": 1}}


def test_an_insert_that_is_permitted_is_stored(bench):
    fill_notes(bench)
    bench.alice.data("insertOne", "notes", document={"_id": 9, "owner": bench.alice.id})
    bench.alice.data("insertOne", "counters", document={"_id": "new", "n": 1})
    assert bench.stored("notes")[9] == {"_id": 9, "owner": bench.alice.id}


def test_a_write_that_no_document_may_have_is_refused(bench):
    bench.fill("sealed", {"_id": 1, "n": 1}, {"_id": 2, "n": 1})
    for action, kind, argument in (("updateOne", "update", {"update": {"$set": {"n": 2}}}),
                                   ("updateMany", "update", {"update": {"$set": {"n": 2}}}),
                                   ("updateMany", "update", {"update": {"k": 2}}),
                                   ("deleteOne", "delete", {}), ("deleteMany", "delete", {})):
        denied(bench, "sealed", kind, lambda: bench.alice.data(action, "sealed", query={"n": 1}, **argument))
    for action, kind, argument in (("findOneAndUpdate", "update", {"update": {"$set": {"n": 2}}}),
                                   ("findOneAndReplace", "update", {"update": {"k": 2}}), ("findOneAndDelete", "delete", {})):
        denied(bench, "sealed", kind, lambda: bench.alice.data(action, "sealed", filter={"n": 1}, **argument))


def test_a_field_that_may_not_be_written_stays(bench):
    fill_notes(bench)
    for update in ({"$set": {"title": "x"}}, {"$set": {"stars": 9, "text": "x"}}, {"$unset": {"text": ""}},
                   {"$rename": {"text": "stars"}}, {"$inc": {"other": 1}}, {"stars": 1}):
        denied(bench, "notes", "update", lambda: bench.alice.data("updateOne", "notes", query={"_id": 2}, update=update))
    denied(bench, "notes", "delete", lambda: bench.alice.data("deleteOne", "notes", query={"_id": 2}))
    denied(bench, "notes", "update", lambda: bench.alice.data(
        "findOneAndUpdate", "notes", filter={"_id": 2}, update={"$set": {"owner": bench.alice.id}}))
    refused(400, "FunctionExecutionError", "update not permitted",
            lambda: bench.alice.code("notes", "updateOne", {"_id": 2}, {"$set": {"title": "x"}}))


def test_a_hidden_document_does_not_exist(bench):
    fill_notes(bench)
    before = bench.stored("notes")
    write = lambda action, **argument: bench.alice.data(action, "notes", **argument)  # noqa: E731
    assert write("updateOne", query={"_id": 3}, update={"$set": {"stars": 9}}) == {"matchedCount": 0, "modifiedCount": 0}
    assert write("updateMany", query={"_id": 3}, update={"$set": {"stars": 9}})["matchedCount"] == 0
    assert write("deleteOne", query={"_id": 3}) == {"deletedCount": 0}
    assert write("deleteMany", query={"_id": 3}) == {"deletedCount": 0}
    assert write("findOneAndUpdate", filter={"_id": 3}, update={"$set": {"stars": 9}}) is None
    assert write("findOneAndDelete", filter={"_id": 3}) is None
    assert bench.stored("notes") == before


def test_many_with_one_that_is_refused_change_nothing(bench):
    fill_notes(bench)
    denied(bench, "notes", "update", lambda: bench.alice.data("updateMany", "notes", query={}, update={"$set": {"title": "x"}}))
    denied(bench, "notes", "delete", lambda: bench.alice.data("deleteMany", "notes", query={}))
    bench.fill("counters", {"_id": 1, "n": 1}, {"_id": 2, "n": 1, "locked": True}, {"_id": 3, "n": 1})
    denied(bench, "counters", "update", lambda: bench.alice.data("updateMany", "counters", query={}, update={"$inc": {"n": 1}}))


def test_a_document_that_breaks_the_schema_is_not_stored(bench):
    bench.fill("typed", {"_id": "a", "name": "A", "size": 1}, {"_id": "b", "name": "B", "size": 9})
    before = bench.stored("typed")
    for action, kind, argument in (
            ("insertOne", "insert", {"document": {"_id": "c", "name": 5}}),
            ("insertMany", "insert", {"documents": [{"_id": "c", "name": "C"}, {"_id": "d"}]}),
            ("updateOne", "insert", {"query": {"_id": "c"}, "update": {"$set": {"size": 3}}, "upsert": True}),
            ("updateOne", "update", {"query": {"_id": "a"}, "update": {"$set": {"size": 10}}}),
            ("updateMany", "update", {"query": {}, "update": {"$inc": {"size": 1}}}),
            ("updateOne", "update", {"query": {"_id": "a"}, "update": {"$unset": {"name": ""}}})):
        refused(400, "SchemaValidationFailedWrite", f"{kind} not permitted",
                lambda: bench.alice.data(action, "typed", **argument))
        assert bench.stored("typed") == before, action


def test_the_condition_of_a_role_goes_to_the_source_with_the_write(bench):
    """Nothing is decided on the document then: the role writes everything, where it applies."""
    def fill():
        bench.fill("doors", *({"_id": n, "n": 1, **({"locked": True} if n % 2 else {})} for n in range(6)))
    write = lambda action, **argument: bench.alice.data(action, "doors", **argument)  # noqa: E731
    fill()
    assert write("updateMany", query={}, update={"$inc": {"n": 1}}) == {"matchedCount": 3, "modifiedCount": 3}
    assert write("updateOne", query={"_id": 1}, update={"$inc": {"n": 1}})["matchedCount"] == 0
    assert write("findOneAndUpdate", filter={"_id": 1}, update={"$inc": {"n": 1}}) is None
    assert write("findOneAndUpdate", filter={"_id": 2}, update={"$inc": {"n": 1}}, returnNewDocument=True) == {"_id": 2, "n": 3}
    assert write("findOneAndReplace", filter={"_id": 1}, update={"m": 1}) is None
    assert [bench.stored("doors")[n]["n"] for n in range(6)] == [2, 1, 3, 1, 2, 1]
    assert write("findOneAndDelete", filter={"_id": 3}) is None
    assert write("deleteOne", query={"_id": 3}) == {"deletedCount": 0}
    assert write("deleteOne", query={"_id": 4}) == {"deletedCount": 1}
    assert write("findOneAndDelete", filter={"_id": 2}) == {"_id": 2, "n": 3}
    assert write("deleteMany", query={}) == {"deletedCount": 1}
    assert sorted(bench.stored("doors")) == [1, 3, 5]
    assert write("count", query={}) == 0 and write("find", query={}, limit=2) == []


# ---- A write that is decided on the document and permitted.


@needs("decided writes")
def test_a_permitted_write_of_a_field_is_applied(bench):
    fill_notes(bench)
    with bench.all_or_nothing("notes"):
        answer = bench.alice.data("updateOne", "notes", query={"_id": 2}, update={"$inc": {"stars": 1}})
    assert answer == {"matchedCount": 1, "modifiedCount": 1}, answer
    assert bench.stored("notes")[2] == {
        "_id": 2, "owner": bench.bob.id, "title": "b", "stars": 3, "public": True, "text": "secret"}
    changed = bench.alice.data("findOneAndUpdate", "notes", filter={"_id": 2}, update={"$set": {"stars": 7}},
                               returnNewDocument=True)
    assert changed == {"_id": 2, "title": "b", "stars": 7}, changed
    assert bench.alice.code("notes", "updateOne", {"_id": 2}, {"$unset": {"stars": ""}})["modifiedCount"] == 1
    assert "stars" not in bench.stored("notes")[2]
    assert bench.alice.data("updateOne", "notes", query={"_id": 2}, update={"$set": {"stars": 1}})["modifiedCount"] == 1
    assert bench.stored("notes")[2]["stars"] == 1


@needs("decided writes")
def test_a_no_op_of_a_field_needs_no_permission(bench):
    fill_notes(bench)
    answer = bench.alice.data("updateOne", "notes", query={"_id": 2}, update={"$set": {"title": "b", "stars": 5}})
    assert answer == {"matchedCount": 1, "modifiedCount": 1} and bench.stored("notes")[2]["stars"] == 5


@needs("decided writes")
def test_many_that_are_permitted_are_all_written(bench):
    bench.fill("counters", *({"_id": n, "n": n} for n in range(20)))
    with bench.all_or_nothing("counters"):
        answer = bench.alice.data("updateMany", "counters", query={"n": {"$gte": 5}}, update={"$inc": {"n": 100}})
    assert answer == {"matchedCount": 15, "modifiedCount": 15}, answer
    assert sorted(document["n"] for document in bench.stored("counters").values()) == [*range(5), *range(105, 120)]
    assert bench.alice.data("deleteMany", "counters", query={"n": {"$lt": 100}}) == {"deletedCount": 5}
    assert len(bench.stored("counters")) == 15
    answer = bench.alice.data("updateMany", "counters", query={"_id": {"$lt": 8}}, update={"k": 1})
    assert answer["modifiedCount"] == 3 and bench.stored("counters")[7] == {"_id": 7, "k": 1}


@needs("decided writes")
def test_a_deletion_that_depends_on_the_document(bench):
    bench.fill("kept", {"_id": 1, "done": True}, {"_id": 2}, {"_id": 3, "done": True})
    denied(bench, "kept", "delete", lambda: bench.alice.data("deleteMany", "kept", query={}))
    with bench.all_or_nothing("kept"):
        assert bench.alice.data("deleteOne", "kept", query={"_id": 1}) == {"deletedCount": 1}
    assert bench.alice.data("findOneAndDelete", "kept", filter={"_id": 3}) == {"_id": 3, "done": True}
    assert set(bench.stored("kept")) == {2}


@needs("decided writes")
def test_what_conforms_to_the_schema_is_written(bench):
    bench.fill("typed", {"_id": "a", "name": "A", "size": 1}, {"_id": "b", "name": "B", "size": 2})
    bench.alice.data("insertOne", "typed", document={"_id": "c", "name": "C"})
    with bench.all_or_nothing("typed"):
        assert bench.alice.data("updateMany", "typed", query={"size": {"$gt": 0}}, update={"$inc": {"size": 1}})["modifiedCount"] == 2
    assert bench.alice.data("updateOne", "typed", query={"_id": "d", "name": "D"}, update={"$set": {"size": 3}}, upsert=True)[
        "upsertedId"] == "d"
    assert bench.alice.data("findOneAndReplace", "typed", filter={"_id": "a"}, update={"name": "AA"}, returnNewDocument=True) == {
        "_id": "a", "name": "AA"}
    assert bench.stored("typed") == {"a": {"_id": "a", "name": "AA"}, "b": {"_id": "b", "name": "B", "size": 3},
                                     "c": {"_id": "c", "name": "C"}, "d": {"_id": "d", "name": "D", "size": 3}}


def test_a_filter_keeps_writes_away_from_what_it_hides(bench):
    bench.fill("filtered", {"_id": 1, "secret": "s"}, {"_id": 2, "secret": "s", "dead": True})
    assert bench.alice.data("updateMany", "filtered", query={}, update={"$set": {"n": 1}})["matchedCount"] == 1
    assert bench.alice.data("deleteOne", "filtered", query={"_id": 2}) == {"deletedCount": 0}
    assert bench.alice.data("findOneAndUpdate", "filtered", filter={"_id": 2}, update={"$set": {"n": 2}}) is None
    assert bench.stored("filtered") == {1: {"_id": 1, "secret": "s", "n": 1}, 2: {"_id": 2, "secret": "s", "dead": True}}


def compares(bench, values):
    bench.fill("counters", {"_id": {"a": 1, "b": [2]}, "n": 1, **values})
    with bench.all_or_nothing("counters"):
        assert bench.alice.data("updateOne", "counters", query={"n": 1}, update={"$inc": {"n": 1}})["modifiedCount"] == 1
    (stored,) = bench.collection("counters").find()
    assert stored == {"_id": {"a": 1, "b": [2]}, **values, "n": 2}


@needs("decided writes")
def test_documents_of_all_values_are_compared_rightly(bench):
    compares(bench, {name: value for name, value in VALUES.items() if name != "pattern"})


@needs("decided writes", "comparable patterns")
def test_documents_with_patterns_are_compared_rightly(bench):
    compares(bench, {"pattern": VALUES["pattern"]})


@needs("decided writes", "comparable empty arrays")
def test_documents_with_empty_arrays_are_compared_rightly(bench):
    compares(bench, {"list": [], "deep": {"list": []}})


@needs("decided writes")
def test_a_change_of_a_type_is_no_equality(bench):
    """A field that has become null or an array is another one."""
    bench.fill("counters", {"_id": 1, "list": [1], "deep": {"n": 1}})
    for update in ({"$set": {"list": 1}}, {"$set": {"deep.n": None}}, {"$set": {"deep": {}}}):
        with bench.all_or_nothing("counters"):
            assert bench.alice.data("updateOne", "counters", query={"_id": 1}, update=update)["modifiedCount"] == 1
    assert bench.stored("counters")[1] == {"_id": 1, "list": 1, "deep": {}}


@needs("decided writes", "number types")
def test_a_number_takes_the_type_it_is_set_to(bench):
    bench.fill("counters", {"_id": 1, "n": 1})
    with bench.all_or_nothing("counters"):
        bench.alice.data("updateOne", "counters", query={"_id": 1}, update={"$set": {"n": 1.0}})
    stored = bench.stored("counters")[1]["n"]
    assert isinstance(stored, float), f"{stored} is no 1.0"


@needs("decided writes")
def test_texts_that_look_like_expressions_stay_texts(bench):
    bench.fill("counters", {"_id": 1, "text": "$n", "deep": {"text": "$$ROOT", "list": ["$n"]}, "n": 1})
    with bench.all_or_nothing("counters"):
        bench.alice.data("updateOne", "counters", query={"_id": 1}, update={"$set": {"more": "$n"}})
    assert bench.stored("counters")[1] == {"_id": 1, "text": "$n", "deep": {"text": "$$ROOT", "list": ["$n"]}, "n": 1, "more": "$n"}
