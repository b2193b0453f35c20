// call: [0]
// gives: "done after 3"
exports = async function retry(attempts) {
  if (attempts >= 3) return `done after ${attempts}`;
  try {
    throw new Error("again");
  } catch (err) {
    return context.functions.execute("composed/recursion/retry", attempts + 1);
  }
};
