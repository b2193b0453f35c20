exports = function () { return context.user.data.email; };
