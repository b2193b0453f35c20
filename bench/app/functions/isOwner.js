exports = function (owner, user) {
  return owner === user;
};
