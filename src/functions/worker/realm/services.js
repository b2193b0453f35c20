'use strict';

// Third-party services of an app (spec: functions §6): HTTP services are served here, the others by gateways that the
// operator names. A service's rules decide first; the server evaluates them.

const { FunctionError } = require('./errors.js');

const RealmProxy = Proxy;
const HTTP_VERBS = ['get', 'post', 'put', 'patch', 'delete', 'head'];
// Services of AWS are reached through a client for a region: services.get("aws").s3("us-east-1").
const API_OF_RETIRED_TYPE = { 'aws-s3': 's3', 'aws-ses': 'ses' };

class ThirdPartyService {
  #realm;
  #request;
  #identity;
  #description;   // {name, type, config, gateway}

  constructor(realm, request, identity, description) {
    this.#realm = realm;
    this.#request = request;
    this.#identity = identity;
    this.#description = description;
  }

  // Resolves when the rules of the service let the identity do this; to the devices of the users that a push is for.
  #authorize(action, args) {
    const { name } = this.#description;
    return this.#request.operate(this.#identity, name, 'authorizeService', undefined, undefined,
      { options: { action, args: args === undefined || args === null ? {} : args } });
  }

  async #throughGateway(api, region, action, args) {
    const { name, type, config, gateway } = this.#description;
    if (gateway === undefined) {
      throw new FunctionError(`the action '${action}' of service '${name}' is not available: the server has no gateway for it`,
        { code: 'ServiceCommandNotFound' });
    }
    const devices = await this.#authorize(api === undefined ? action : `${api}:${action}`, args[0]);
    const { ejson } = this.#realm;
    const call = { service: name, type, action, arguments: args, config };
    if (api !== undefined) Object.assign(call, { api, region });
    if (devices) call.devices = devices;
    const answer = await this.#realm.postToGateway({ url: gateway, headers: { 'Content-Type': ['application/json'] },
      body: ejson.stringify(call) });
    const text = answer.body.text();
    let value;
    try {
      value = text === '' ? undefined : ejson.parse(text);
    } catch {
      throw new FunctionError(`the gateway of service '${name}' gave no JSON (status ${answer.statusCode})`, { code: 'HTTPError' });
    }
    if (answer.statusCode >= 200 && answer.statusCode < 300) return value;
    const told = typeof value === 'object' && value !== null && typeof value.error === 'string' ? value.error
      : `the gateway of service '${name}' answered ${answer.status}`;
    throw new FunctionError(told, { code: 'HTTPError' });
  }

  // An object whose members are the actions.
  #actions(api, region) {
    return new RealmProxy({}, {
      get: (_target, action) => (typeof action !== 'string' || action === 'then' ? undefined
        : (...args) => this.#throughGateway(api, region, action, args)),
    });
  }

  #http() {
    const client = {};
    for (const verb of HTTP_VERBS) {
      client[verb] = (options) => this.#authorize(verb, options).then(() => this.#realm.http[verb](options));
    }
    return client;
  }

  // An action as a client of the app names it. AWS has one action for clients, which names the API and its action.
  async call(action, args) {
    const { name, type, config } = this.#description;
    const [options] = args;
    if (type === 'http' && HTTP_VERBS.includes(action)) return this.#http()[action](options);
    if (type === 'aws' && action === 'execute' && typeof options === 'object' && options !== null) {
      const { aws_service: api, aws_action: named, aws_arguments: given, aws_region: region } = options;
      return this.#throughGateway(String(api), region === undefined ? Object(config).region : region, String(named), [given]);
    }
    if (type !== 'http' && type !== 'aws') return this.#throughGateway(API_OF_RETIRED_TYPE[type], undefined, action, args);
    throw new FunctionError(`command not found: '${action}' of service '${name}'`, { code: 'ServiceCommandNotFound' });
  }

  client() {
    const { type } = this.#description;
    if (type === 'http') return this.#http();
    if (type !== 'aws') return this.#actions(API_OF_RETIRED_TYPE[type], undefined);
    return new RealmProxy({}, {
      get: (_target, api) => (typeof api !== 'string' || api === 'then' ? undefined
        : (region) => this.#actions(api, region === undefined ? Object(this.#description.config).region : region)),
    });
  }
}

module.exports = { ThirdPartyService };
