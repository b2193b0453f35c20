exports = function () {
  return 'id';
};
