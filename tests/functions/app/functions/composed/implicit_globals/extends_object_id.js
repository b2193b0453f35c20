// call: ["65f000000000000000000001"]
// gives: ["id:65f000000000000000000001", "orders.65f000000000000000000001"]
BSON.ObjectId.prototype.tagged = function () { return "id:" + this; };
exports = (hex) => [new BSON.ObjectId(hex).tagged(), "orders." + BSON.ObjectId(hex)];
