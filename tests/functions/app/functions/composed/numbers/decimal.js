// call: [{"$numberDecimal": "0.1"}]
// gives: [{"$numberDecimal": "0.1"}, "0.1", {"$numberDecimal": "1.10"}]
exports = (d) => [d, d.toString(), BSON.Decimal128.fromString("1.10")];
