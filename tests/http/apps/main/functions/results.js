exports = function results(kind) {
  const { ObjectId, Long, Decimal128, Binary } = BSON;
  return {
    nothing: undefined,
    none: null,
    text: "é日\u{1F600}",
    truth: true,
    small: 7,
    big: 2147483648,
    fraction: 1.5,
    date: new Date(1700000000000),
    id: new ObjectId("5f4863e4d49bd2191ff1e623"),
    long: Long.fromString("9007199254740993"),
    decimal: Decimal128.fromString("1.10"),
    binary: new Binary(Buffer.from("hi")),
    list: [1, [2], {}],
    members: { a: undefined, b: null, c: { d: 1 } },
    error: { error: "no failure", error_code: "" },
    helper: context.functions.execute("hidden"),
  }[kind];
};
