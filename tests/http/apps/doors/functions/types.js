exports = function () {
  return {
    id: new BSON.ObjectId("5f4863e4d49bd2191ff1e623"), date: new Date(1641954803067), int: 1, double: 1.5,
    decimal: BSON.Decimal128.fromString("9823.1297"), regex: new BSON.BSONRegExp("^H", "i"), list: [1, "a", null],
    binary: BSON.Binary.fromText("hi"), nested: { yes: true }
  };
};
