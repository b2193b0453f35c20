// Entry of the browser page: runs the scenarios against the server named in the query and hands over each result.
import { runAll } from "./scenarios.mjs";

const query = new URLSearchParams(location.search);
runAll(query.get("server"), (result) => window.reportResult(result), query.get("only") ?? "")
  .then((outcome) => window.reportEnd(outcome), (error) => window.reportEnd({ error: String(error) }));
