'use strict';

// `context` of one function within one request (spec: functions §3).

const { MongoClient } = require('./mongo.js');
const { FunctionError } = require('./errors.js');

// Services of these types are known by name only: a call on them is refused, never their look-up.
const UNAVAILABLE_TYPES = new Set(['aws', 'twilio', 'github', 'gcm']);

function refuse(service, action) {
  return Promise.reject(new FunctionError(`the action '${action}' of service '${service}' is not available`,
    { code: 'ServiceCommandNotFound' }));
}

function unavailableService(name, isAws, depth = 0) {
  return new Proxy({}, {
    get(_target, member) {
      if (typeof member !== 'string' || member === 'then') return undefined;
      if (isAws && depth === 0) return () => unavailableService(name, true, 1);
      return () => refuse(name, member);
    },
  });
}

class Services {
  #realm;
  #request;
  #identity;

  constructor(realm, request, identity) {
    this.#realm = realm;
    this.#request = request;
    this.#identity = identity;
  }

  get(name) {
    const type = this.#realm.app.services.get(name);
    if (type === undefined) return undefined;
    if (type === 'http') return this.#realm.http;
    if (UNAVAILABLE_TYPES.has(type)) return unavailableService(name, type === 'aws');
    return new MongoClient(this.#request, this.#identity, name);
  }
}

class Functions {
  #realm;
  #identity;

  constructor(realm, identity) {
    this.#realm = realm;
    this.#identity = identity;
  }

  execute(name, ...args) { return this.#realm.execute(this.#identity, name, args); }
}

class Values {
  #realm;
  constructor(realm) { this.#realm = realm; }
  get(name) { return this.#realm.appValue(name); }
}

class Context {
  #realm;
  #identity;
  #functions;
  #services;
  #values;

  constructor(realm, request, identity) {
    this.#realm = realm;
    this.#identity = identity;
    this.#functions = new Functions(realm, identity);
    this.#services = new Services(realm, request, identity);
    this.#values = new Values(realm);
  }

  get app() { return this.#realm.part('app'); }
  get environment() { return this.#realm.part('environment'); }
  get functions() { return this.#functions; }
  get http() { return this.#realm.http; }
  get request() { return this.#realm.callPart('request'); }
  get services() { return this.#services; }
  get values() { return this.#values; }
  get user() { return this.#identity.user === undefined ? this.#realm.callPart('user') : this.#identity.user; }
  runningAsSystem() { return this.#identity.asSystem; }
}

module.exports = { Context, contextClasses: [Context, Functions, Services, Values] };
