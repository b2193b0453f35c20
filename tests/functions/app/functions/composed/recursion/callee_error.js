exports = function () {
  const error = new Error("from the callee");
  error.extra = [1];
  throw error;
};
