// Does with `response` what the query says.
exports = function ({ query }, response) {
  if (query.status) response.setStatusCode(Number(query.status));
  if (query.header) response.setHeader("X-Made", query.header);
  if (query.more) response.addHeader("x-made", query.more);
  if (query.type) response.setHeader("Content-Type", query.type);
  if (query.body) response.setBody(query.body);
  return query.none ? undefined : "result";
};
