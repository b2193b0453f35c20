exports = () => [context.values.get("greeting"), context.values.get("word")];
