exports = () => {
  throw new Error("the filter is broken");
};
