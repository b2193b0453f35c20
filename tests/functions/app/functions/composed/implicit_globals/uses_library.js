// call: [[1.5, 2.25]]
// gives: ["3.75 EUR", "Total", {"$date": {"$numberLong": "172800000"}}, [true, false]]
exports = function (amounts) {
  context.functions.execute("composed/implicit_globals/library");
  return [formatPrice(amounts.map(toCents).sum(), "EUR"), "total".capitalize(), new Date(86400000).addDays(1),
    [{}.isEmptyObject(), { a: 1 }.isEmptyObject()]];
};
