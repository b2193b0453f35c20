exports = function () { return "in"; };
