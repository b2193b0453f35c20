exports = () => "a member called";
