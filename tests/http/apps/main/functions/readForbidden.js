exports = () => context.services.get("mongodb-atlas").db("t").collection("forbidden").find({}).toArray();
