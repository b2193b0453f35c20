exports = function () {
  toCents = (amount) => Math.round(amount * 100);
  if (typeof formatPrice === "undefined") {
    formatPrice = (cents, currency) => `${(cents / 100).toFixed(2)} ${currency}`;
  }
  Array.prototype.sum = function () { return this.reduce((a, b) => a + b, 0); };
  String.prototype.capitalize = function () { return this.charAt(0).toUpperCase() + this.slice(1); };
  Date.prototype.addDays = function (days) { return new Date(this.getTime() + days * 86400000); };
  Object.defineProperty(Object.prototype, "isEmptyObject", { value() { return Object.keys(this).length === 0; }, configurable: true });
};
