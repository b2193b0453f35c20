'use strict';

// `context` of one function within one request (spec: functions §3).

const { MongoClient } = require('./mongo.js');
const { ThirdPartyService } = require('./services.js');

const THIRD_PARTY = new Set(['http', 'aws', 'aws-s3', 'aws-ses', 'twilio', 'github', 'gcm']);

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
    const service = this.#realm.app.services.get(name);
    if (service === undefined) return undefined;
    if (!THIRD_PARTY.has(service.type)) return new MongoClient(this.#request, this.#identity, name);
    const description = { ...service, config: this.#realm.serviceConfig(service) };
    return new ThirdPartyService(this.#realm, this.#request, this.#identity, description).client();
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
