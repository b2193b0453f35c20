// call: [{"$date": {"$numberLong": "1709164800000"}}]
// gives: ["2024-02-29T00:00:00.000Z", 29, {"$date": {"$numberLong": "1711843200000"}}, "number"]
exports = function (at) {
  const end = new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + 2, 0));
  return [at.toISOString(), at.getUTCDate(), end, typeof (end - at)];
};
