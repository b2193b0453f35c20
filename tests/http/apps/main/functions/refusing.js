exports = () => "never";
