// call: []
// gives: ["normal", 24, "anon-user", {}, {}]
exports = function () {
  const { type, id, identities, data, custom_data } = context.user;
  return [type, id.length, identities[0].provider_type, data, custom_data];
};
