exports = function () {
  return 5;
};
