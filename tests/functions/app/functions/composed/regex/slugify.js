// call: ["  Çà et là: 100% Déjà-vu!  "]
// gives: "ca-et-la-100-deja-vu"
exports = (text) => text.normalize("NFD").replace(/[\u0300-\u036f]/g, "").toLowerCase().trim()
  .replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "");
