// call: [{"_id": {"$oid": "65f000000000000000000001"}, "at": {"$date": {"$numberLong": "0"}}, "big": {"$numberLong": "9007199254740993"}}]
// gives: [{"_id": "65f000000000000000000001", "at": "1970-01-01T00:00:00.000Z"}, true]
exports = function (doc) {
  const { _id, at } = JSON.parse(JSON.stringify(doc));
  const again = EJSON.parse(EJSON.stringify(doc));
  return [{ _id, at }, again._id.equals(doc._id) && again.at.getTime() === 0];
};
