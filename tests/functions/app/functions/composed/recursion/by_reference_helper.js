exports = function (response, map) {
  response.status = 201;
  map.set("seen", true);
};
