exports = () => "out of reach for clients";
