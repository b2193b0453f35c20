exports = () => "from a folder";
