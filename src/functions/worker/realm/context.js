'use strict';

// `context` of one function within one request (spec: functions §3).

const { MongoClient } = require('./mongo.js');
const { ThirdPartyService } = require('./services.js');

const THIRD_PARTY = new Set(['http', 'aws', 'aws-s3', 'aws-ses', 'twilio', 'github', 'gcm']);

// The third-party service of that name; undefined when it is a data source or there is none.
function thirdPartyService(realm, request, identity, name) {
  const service = realm.app.services.get(name);
  if (service === undefined || !THIRD_PARTY.has(service.type)) return undefined;
  return new ThirdPartyService(realm, request, identity, { ...service, config: realm.serviceConfig(service) });
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
    if (!this.#realm.app.services.has(name)) return undefined;
    const service = thirdPartyService(this.#realm, this.#request, this.#identity, name);
    return service === undefined ? new MongoClient(this.#request, this.#identity, name) : service.client();
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

module.exports = { Context, thirdPartyService, contextClasses: [Context, Functions, Services, Values] };
