'use strict';

// Sets up one JavaScript realm and runs one request at a time in it. Everything a function can reach is made here, of
// this realm's own objects; `host` (the worker's side) stays in closures.

const createBsonTypes = require('./bson_types.js');
const createDecoder = require('./decode.js');
const createEncoder = require('./encode.js');
const createExtendedJson = require('./ejson.js');
const createConsole = require('./console.js');
const createTimers = require('./timers.js');
const createCryptoUtils = require('./crypto_utils.js');
const createJwtUtils = require('./jwt_utils.js');
const createHttpClient = require('./http_client.js');
const createHttpResponse = require('./response.js');
const createModules = require('./modules.js');
const createProcess = require('./process.js');
const { Context, contextClasses, thirdPartyService } = require('./context.js');
const { Request } = require('./request.js');
const { Cursor, resolveCursors } = require('./cursor.js');
const { ClientSession } = require('./session.js');
const { mongoClasses } = require('./mongo.js');
const { FunctionError, MongoError, isErrorObject, stackOf, textOf } = require('./errors.js');
const { NumberMemory } = require('./numbers.js');

const RealmPromise = Promise;

class Realm {
  // `app`: {functions, services, values, parts, limits}; `host`: see host/realm.js.
  constructor(app, host, bson, global) {
    this.app = app;
    this.host = host;
    this.levels = host.levels;
    this.request = null;
    const memoryOf = () => (this.request === null ? new NumberMemory() : this.request.memory);
    const requestOf = () => {
      if (this.request === null) throw new FunctionError('the function call has ended');
      return this.request;
    };
    const { Buffer, crypto } = host;
    this.types = createBsonTypes(bson, Buffer);
    this.decoder = createDecoder(this.types, host);
    this.encoder = createEncoder({ ...host, isError: isErrorObject }, this.decoder.farDates);
    this.ejson = createExtendedJson(this.types, host, memoryOf);
    this.link = { writer: host.writer, encoder: this.encoder, decoder: this.decoder, timers: host.timers };
    const httpClient = createHttpClient(host, this.types, this.ejson, requestOf);
    this.http = httpClient.client;
    this.postToGateway = httpClient.post;
    this.timers = createTimers(host, requestOf);
    this.process = createProcess(host, requestOf);
    this.response = createHttpResponse(this.types);
    this.modules = createModules(host, this);
    this.onChange = (request) => host.onChange(request);
    this.parts = new Map();           // decoded members of the app, for the running request
    this.instantiators = new Map();   // function -> factory of its instances
    this.#install(global, createConsole(host, this.ejson, () => this.request), {
      crypto: createCryptoUtils(crypto, Buffer, this.types.Binary),
      jwt: createJwtUtils(crypto, Buffer, memoryOf),
    });
    this.fastGlobals = host.fastGlobalNames.map((name) => global[name]);
  }

  #install(global, console, utils) {
    const { host } = this;
    const members = {
      global, BSON: { ...this.types, EJSON: this.ejson }, EJSON: this.ejson, console, utils, process: this.process,
      HTTPResponse: this.response.HTTPResponse, require: this.modules.require, ...this.timers,
      queueMicrotask: (callback) => { RealmPromise.resolve().then(callback); },
      ...host.globals,
    };
    for (const name of Object.keys(members)) {
      Object.defineProperty(global, name, { value: members[name], writable: true, configurable: true });
    }
  }

  // A member of the app's description (app, environment), decoded once per request.
  part(name) { return this.#decoded(`part ${name}`, this.app.parts.get(name)); }
  appValue(name) { return this.#decoded(`value ${name}`, this.app.values.get(name)); }

  serviceConfig(service) { return this.#decoded(`service ${service.name}`, service.config); }

  #decoded(key, raw) {
    if (raw === undefined) return undefined;
    if (!this.parts.has(key)) {
      this.parts.set(key, this.decoder.decode(raw.bytes, raw.type, raw.at, this.request.memory));
    }
    return this.parts.get(key);
  }

  // A member of the `call` frame (user, request).
  callPart(name) {
    const raw = this.request.header[name];
    return raw === undefined ? undefined : this.#decoded(`call ${name}`, { ...raw, bytes: this.request.bytes });
  }

  // A call begins. `bytes` are its frame, `header` the frame's members.
  begin(header, bytes) {
    const request = new Request(this.link, this.app.limits, header, this.onChange);
    request.bytes = bytes;
    request.realm = this;
    this.request = request;
    this.parts.clear();
    return request;
  }

  run(request) {
    try {
      const outcome = this.#enter(request);
      if (outcome !== null && typeof outcome === 'object' && typeof outcome.then === 'function') {
        RealmPromise.resolve(outcome).then(
          (value) => this.#settled(request, { value }), (thrown) => this.#settled(request, { thrown }));
      } else {
        this.#settled(request, { value: outcome });
      }
    } catch (thrown) {
      this.#settled(request, { thrown });
    }
  }

  #settled(request, outcome) {
    if (request.outcome !== undefined) return;
    request.outcome = outcome;
    this.onChange(request);
  }

  #enter(request) {
    const { header, bytes } = request;
    const args = header.args === undefined ? [] : this.decoder.decodeArguments(bytes, header.args.at, request.memory);
    if (header.response) {
      request.httpResponse = new this.response.HTTPResponse();
      args.push(request.httpResponse);
    }
    if (header.service !== undefined) return this.#callService(request, args);
    const fn = header.source === undefined ? this.app.functions.get(header.function)
      : this.host.adHocFunction(header.source);
    if (fn === undefined) throw this.#unknown(header.function);
    const passed = header.spread === false ? [args] : args;
    return this.#callAs({ asSystem: header.asSystem === true, userId: undefined, user: undefined }, fn, passed);
  }

  // An action of a third-party service, called by a client: its failures keep their kind.
  async #callService(request, args) {
    const { service, action } = request.header;
    try {
      return await thirdPartyService(this, request, { asSystem: false }, service).call(action, args);
    } catch (error) {
      if (error instanceof FunctionError) error.kind = error.code === undefined ? error.codeName : error.code;
      throw error;
    }
  }

  #unknown(name) {
    const error = new FunctionError(`function not found: '${name}'`);
    error.kind = 'notFound';
    return error;
  }

  // context.functions.execute: in this realm, with the caller's arguments as they are.
  execute(identity, name, args) {
    const fn = this.app.functions.get(String(name));
    if (fn === undefined) throw this.#unknown(name);
    return this.#callAs(identity, fn, args);
  }

  #callAs(identity, fn, args) {
    if (fn.runAsSystem) return this.#invoke(identity.asSystem ? identity : { ...identity, asSystem: true }, fn, args);
    if (fn.runAsUserId === '' && fn.userScript === undefined) return this.#invoke(identity, fn, args);
    return this.#identityOf(identity, fn).then((own) => this.#invoke(own, fn, args));
  }

  async #identityOf(identity, fn) {
    let id = fn.runAsUserId;
    if (id === '') {
      const answer = await this.#invoke({ ...identity, asSystem: true }, fn.userScript, []);
      const isObject = typeof answer === 'object' && answer !== null;
      if (isObject && (answer.runAsSystem === true || answer.runAsSystemUser === true)) {
        return { ...identity, asSystem: true };
      }
      if (typeof answer !== 'string' || answer === '') {
        throw new FunctionError(`the run_as_user_id script of '${fn.name}' must return a user id`);
      }
      id = answer;
    }
    return { asSystem: false, userId: id, user: await this.request.fetchUser(id) };
  }

  #invoke(identity, fn, args) {
    const { request } = this;
    request.raiseLevel(fn.level);
    const instantiate = this.#instantiator(fn);
    const exported = instantiate(new Context(this, request, identity));
    if (typeof exported !== 'function') throw new FunctionError(`function '${fn.name}' does not export a function`);
    return exported(...args);
  }

  #instantiator(fn) {
    const known = this.instantiators.get(fn);
    if (known !== undefined) return known;
    const { factory, error } = this.host.functionFactory(fn);
    if (error !== undefined) {
      const failure = new FunctionError(error.message);
      failure.kind = 'syntax';
      throw failure;
    }
    const instantiate = factory(...this.fastGlobals);
    if (!fn.isAdHoc) this.instantiators.set(fn, instantiate);
    return instantiate;
  }

  bsonClasses() { return Object.values(this.types); }

  owns(promise) { return promise instanceof RealmPromise; }

  // Whether the request may be answered now. Starts what must still be done before.
  isComplete(request) {
    if (request.failure !== undefined) return true;
    if (request.outcome === undefined || request.holds > 0) return false;
    if (!request.hasCursors || 'thrown' in request.outcome) return true;
    const { value } = request.outcome;
    request.outcome = undefined;
    request.hasCursors = false;
    resolveCursors(value).then(
      (resolved) => this.#settled(request, { value: resolved }), (thrown) => this.#settled(request, { thrown }));
    return false;
  }

  // Writes the answer and ends the request.
  finish(request) {
    if (request.failure !== undefined) {
      this.#writeError(request, request.failure.error);
    } else if ('thrown' in request.outcome) {
      this.#writeError(request, request.outcome.thrown);
    } else {
      this.#writeResult(request, request.outcome.value);
    }
    this.end(request);
  }

  end(request) {
    request.close();
    if (this.request === request) this.request = null;
    this.parts.clear();
  }

  #writeResult(request, value) {
    const { writer } = this.link;
    const frame = writer.begin('result');
    try {
      writer.int64('id', request.id);
      const start = writer.pos;
      if (value !== undefined) this.encoder.result('value', value, request.memory);
      if (writer.pos - start > this.app.limits.maxResultBytes) throw new FunctionError('the result is too large');
      if (request.httpResponse !== undefined) {
        const described = this.response.describe(request.httpResponse);
        this.encoder.argument('response', described, new NumberMemory());
      }
      this.#writeLogs(writer, request);
      writer.end(frame);
    } catch (error) {
      writer.abort(frame);
      this.#writeError(request, error);
    }
  }

  #writeError(request, thrown) {
    const { writer } = this.link;
    const message = textOf(thrown, (value) => this.ejson.stringify(value, { relaxed: true }));
    const kind = thrown instanceof FunctionError && thrown.kind !== undefined ? thrown.kind : 'execution';
    const frame = writer.begin('error');
    writer.int64('id', request.id);
    writer.string('message', message.slice(0, this.app.limits.maxErrorLength));
    writer.string('kind', kind);
    writer.string('stack', stackOf(thrown, this.host.isOwnFrame).slice(0, this.app.limits.maxErrorLength));
    this.#writeLogs(writer, request);
    writer.end(frame);
  }

  #writeLogs(writer, request) {
    if (request.logs.length > 0) writer.strings('logs', request.logs);
    if (request.errorLogs.length > 0) writer.strings('errorLogs', request.errorLogs);
  }
}

// Classes of the objects that functions get from `context`.
const handleClasses = [...contextClasses, ...mongoClasses, Cursor, ClientSession, FunctionError, MongoError];

module.exports = { Realm, handleClasses };
