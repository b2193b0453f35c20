exports = (owner, friend) => context.services.get("mongodb-atlas").db("r").collection("friends").insertOne({ owner, friend });
