exports = (a) => `helped ${a}`;
