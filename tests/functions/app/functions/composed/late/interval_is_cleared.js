// call: []
// gives: 3
exports = () => new Promise((resolve) => {
  let n = 0;
  const timer = setInterval(() => {
    if (++n === 3) {
      clearInterval(timer);
      resolve(n);
    }
  }, 1);
});
