exports = function () {
  return 'hook';
};
