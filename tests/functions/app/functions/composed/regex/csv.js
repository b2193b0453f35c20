// call: ["a,b\n1,\"x, y\"\n2,z"]
// gives: [{"a": "1", "b": "x, y"}, {"a": "2", "b": "z"}]
exports = function (text) {
  const rows = text.split(/\r?\n/).map((row) => row.match(/("([^"]|"")*"|[^,]*)(,|$)/g).slice(0, -1).concat()
    .map((cell) => cell.replace(/,$/, "").replace(/^"|"$/g, "")));
  const fixed = text.split(/\r?\n/).map((row) => [...row.matchAll(/(?:^|,)(?:"([^"]*)"|([^,]*))/g)].map((m) => (m[1] === undefined ? m[2] : m[1])));
  const [head, ...rest] = rows.length ? fixed : rows;
  return rest.map((cells) => Object.fromEntries(head.map((name, i) => [name, cells[i]])));
};
