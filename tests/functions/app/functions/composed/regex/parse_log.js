// call: ["10.0.0.1 - [12/Mar/2024:10:00:00] \"GET /a?b=1 HTTP/1.1\" 200"]
// gives: {"ip": "10.0.0.1", "verb": "GET", "path": "/a", "status": 200, "query": {"b": "1"}}
exports = function (line) {
  const match = line.match(/^(?<ip>[\d.]+) - \[[^\]]+\] "(?<verb>[A-Z]+) (?<path>[^? ]+)\??(?<query>\S*) [^"]*" (?<status>\d{3})$/);
  const { ip, verb, path, query, status } = match.groups;
  return { ip, verb, path, status: parseInt(status, 10), query: require("querystring").parse(query) };
};
