// call: ["2024-02-28T22:30:00Z"]
// gives: ["2024-02-29", 1, "a day ago", {"$date": {"$numberLong": "1709159400000"}}]
import moment from "moment";

exports = function (text) {
  const at = moment.utc(text);
  return [at.clone().add(1, "day").format("YYYY-MM-DD"), at.clone().add(1, "d").diff(at, "days"),
    at.from(at.clone().add(1, "day")), at.toDate()];
};
