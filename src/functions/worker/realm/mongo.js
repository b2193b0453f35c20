'use strict';

// The MongoDB client of functions (spec: functions §7). Every method becomes one operation that the server runs under
// the identity of the function.

const { Cursor } = require('./cursor.js');
const { ClientSession } = require('./session.js');
const { FunctionError } = require('./errors.js');

// Options that only some actions know but that a system function may set; the server checks them.
const FURTHER_OPTIONS = ['hint', 'collation', 'allowDiskUse', 'readConcern', 'writeConcern', 'maxTimeMS', 'comment',
  'let', 'bypassDocumentValidation'];

function furtherOptions(options) {
  let result;
  for (const name of FURTHER_OPTIONS) {
    if (options[name] === undefined) continue;
    if (result === undefined) result = {};
    result[name] = options[name];
  }
  return result;
}

function objectOr(value, fallback) {
  return value === undefined || value === null ? fallback : value;
}

// A namespace of one data source as one function sees it.
class Target {
  constructor(request, identity, service, database, collection) {
    this.request = request;
    this.identity = identity;
    this.service = service;
    this.database = database;
    this.collection = collection;
  }

  run(action, args, options) {
    const further = furtherOptions(options);
    if (further !== undefined) args.options = further;
    const { session } = options;
    if (session === undefined || session === null) return this.operate(action, args, undefined);
    return ClientSession.run(session, (id) => this.operate(action, args, id));
  }

  operate(action, args, session) {
    return this.request.operate(this.identity, this.service, action, this.database, this.collection, args, session);
  }
}

// The promise of a refused argument is rejected rather than thrown from.
function attempt(work) {
  try {
    return work();
  } catch (error) {
    return Promise.reject(error);
  }
}

class BulkOperation {
  #collection;
  #ordered;
  #models = [];

  constructor(collection, ordered) {
    this.#collection = collection;
    this.#ordered = ordered;
  }

  insert(document) {
    this.#models.push({ insertOne: { document } });
    return this;
  }

  find(filter) {
    return new BulkFind(this, this.#models, filter);
  }

  execute(options) {
    return this.#collection.bulkWrite(this.#models, { ...objectOr(options, {}), ordered: this.#ordered });
  }
}

class BulkFind {
  #bulk;
  #models;
  #filter;
  #upsert = false;

  constructor(bulk, models, filter) {
    this.#bulk = bulk;
    this.#models = models;
    this.#filter = filter;
  }

  #add(name, members) {
    this.#models.push({ [name]: { filter: this.#filter, ...members } });
    return this.#bulk;
  }

  upsert() {
    this.#upsert = true;
    return this;
  }

  updateOne(update) { return this.#add('updateOne', { update, upsert: this.#upsert }); }
  update(update) { return this.#add('updateMany', { update, upsert: this.#upsert }); }
  updateMany(update) { return this.update(update); }
  replaceOne(replacement) { return this.#add('replaceOne', { replacement, upsert: this.#upsert }); }
  removeOne() { return this.#add('deleteOne', {}); }
  remove() { return this.#add('deleteMany', {}); }
  deleteOne() { return this.removeOne(); }
  delete() { return this.remove(); }
}

function normalBulkModel(model) {
  if (typeof model !== 'object' || model === null) throw new TypeError('a bulkWrite operation must be an object');
  // Documented both as {insertOne: {document: …}} and with the bare document.
  if (model.insertOne !== undefined && model.insertOne !== null && model.insertOne.document === undefined) {
    return { insertOne: { document: model.insertOne } };
  }
  return model;
}

class Collection {
  #target;

  constructor(target) { this.#target = target; }

  get name() { return this.#target.collection; }

  #run(action, args, options) {
    return attempt(() => this.#target.run(action, args, objectOr(options, {})));
  }

  find(query, projection, options) {
    const settings = objectOr(options, {});
    const stages = { sort: settings.sort, skip: settings.skip, limit: settings.limit };
    const fetch = ({ sort, skip, limit }) =>
      this.#run('find', { filter: objectOr(query, {}), projection: objectOr(projection, undefined), sort, skip, limit },
        settings);
    return new Cursor(this.#target.request, fetch, stages);
  }

  findOne(query, projection, options) {
    const args = { filter: objectOr(query, {}), projection: objectOr(projection, undefined) };
    return this.#run('findOne', args, options);
  }

  findOneAndUpdate(query, update, options) { return this.#findAndModify('findOneAndUpdate', query, update, options); }
  findOneAndReplace(query, update, options) { return this.#findAndModify('findOneAndReplace', query, update, options); }
  findOneAndDelete(query, options) { return this.#findAndModify('findOneAndDelete', query, undefined, options); }

  #findAndModify(action, query, update, options) {
    const settings = objectOr(options, {});
    const args = { filter: objectOr(query, {}), update, projection: settings.projection, sort: settings.sort };
    if (action !== 'findOneAndDelete') {
      args.upsert = settings.upsert;
      args.returnNew = settings.returnNewDocument;
      args.arrayFilters = settings.arrayFilters;
    }
    return this.#run(action, args, settings);
  }

  insertOne(document, options) { return this.#run('insertOne', { document }, options); }

  insertMany(documents, options) {
    return this.#run('insertMany', { documents, ordered: objectOr(options, {}).ordered }, options);
  }

  #update(action, query, update, options) {
    const { upsert, arrayFilters } = objectOr(options, {});
    return this.#run(action, { filter: objectOr(query, {}), update, upsert, arrayFilters }, options);
  }

  updateOne(query, update, options) { return this.#update('updateOne', query, update, options); }
  updateMany(query, update, options) { return this.#update('updateMany', query, update, options); }
  replaceOne(query, replacement, options) { return this.#update('replaceOne', query, replacement, options); }

  deleteOne(query, options) { return this.#run('deleteOne', { filter: objectOr(query, {}) }, options); }
  deleteMany(query, options) { return this.#run('deleteMany', { filter: objectOr(query, {}) }, options); }

  aggregate(pipeline, options) { return aggregateCursor(this.#target, pipeline, options); }

  count(query, options) {
    const { limit, skip } = objectOr(options, {});
    return this.#run('count', { filter: objectOr(query, {}), limit, skip }, options);
  }

  countDocuments(query, options) { return this.count(query, options); }
  estimatedDocumentCount(options) { return this.count({}, options); }

  distinct(field, query, options) {
    return this.#run('distinct', { key: field, filter: objectOr(query, {}) }, options);
  }

  bulkWrite(operations, options) {
    return attempt(() => {
      const args = { bulk: Array.from(operations, normalBulkModel), ordered: objectOr(options, {}).ordered };
      return this.#run('bulkWrite', args, options).then(() => null);
    });
  }

  initializeOrderedBulkOp() { return new BulkOperation(this, true); }
  initializeUnorderedBulkOp() { return new BulkOperation(this, false); }

  watch() { throw new FunctionError('watch is not available in functions'); }
}

function aggregateCursor(target, pipeline, options) {
  const settings = objectOr(options, {});
  const fetch = ({ sort, skip, limit }) => attempt(() => {
    const stages = Array.from(objectOr(pipeline, []));
    if (sort !== undefined) stages.push({ $sort: sort });
    if (skip !== undefined) stages.push({ $skip: skip });
    if (limit !== undefined) stages.push({ $limit: limit });
    return target.run('aggregate', { pipeline: stages }, settings);
  });
  return new Cursor(target.request, fetch, {});
}

class Database {
  #target;

  constructor(target) { this.#target = target; }

  get name() { return this.#target.database; }

  collection(name) {
    const { request, identity, service, database } = this.#target;
    return new Collection(new Target(request, identity, service, database, String(name)));
  }

  getCollectionNames() { return attempt(() => this.#target.run('getCollectionNames', {}, {})); }
  aggregate(pipeline, options) { return aggregateCursor(this.#target, pipeline, options); }
}

class Admin {
  #target;
  constructor(target) { this.#target = target; }
  getDBNames() { return attempt(() => this.#target.run('getDBNames', {}, {})); }
}

class MongoClient {
  #request;
  #identity;
  #service;

  constructor(request, identity, service) {
    this.#request = request;
    this.#identity = identity;
    this.#service = service;
  }

  #target(database) { return new Target(this.#request, this.#identity, this.#service, database, undefined); }

  db(name) { return new Database(this.#target(String(name))); }
  admin() { return new Admin(this.#target(undefined)); }
  startSession() { return new ClientSession(this.#request, this.#service); }
}

const mongoClasses = [MongoClient, Admin, Database, Collection, BulkOperation, BulkFind];

module.exports = { MongoClient, mongoClasses };
