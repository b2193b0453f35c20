exports = function () {
  return { status: 'success' };
};
