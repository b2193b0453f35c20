exports = function (payload) { return payload.message; };
