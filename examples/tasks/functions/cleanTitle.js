// One line, no spaces to spare. Private: only other functions of this app can call it.
exports = function cleanTitle(title) {
  return String(title ?? "").replace(/\s+/g, " ").trim();
};
