exports = function () { throw new Error("boom"); };
