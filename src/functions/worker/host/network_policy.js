'use strict';

// Keeps functions away from link-local addresses (cloud metadata services) and from Unix sockets of the machine. Every
// outgoing stream connection of the process passes here: http, https, http2, tls and net use the same Socket.

const dns = require('node:dns');
const net = require('node:net');

const blocked = new net.BlockList();
blocked.addSubnet('169.254.0.0', 16, 'ipv4');
blocked.addSubnet('fe80::', 10, 'ipv6');
blocked.addAddress('fd00:ec2::254', 'ipv6');

function isBlocked(address) {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  const plain = (mapped === null ? address : mapped[1]).replace(/%.*$/, '');
  const family = net.isIP(plain);
  if (family === 0) return false;
  return blocked.check(plain, family === 6 ? 'ipv6' : 'ipv4');
}

function refusal(host) {
  return Object.assign(new Error(`access to host '${host}' is restricted`), { code: 'RestrictedHost' });
}

function checkedLookup(lookup) {
  return (hostname, options, callback) => lookup(hostname, options, (error, address, family) => {
    const addresses = Array.isArray(address) ? address.map((item) => item.address) : [address];
    if (!error && addresses.some(isBlocked)) callback(refusal(hostname));
    else callback(error, address, family);
  });
}

function install() {
  const { connect } = net.Socket.prototype;
  net.Socket.prototype.connect = function connectChecked(...args) {
    const normalized = Array.isArray(args[0]) ? args[0] : net._normalizeArgs(args);
    const options = { ...normalized[0] };
    if (options.path) throw refusal(options.path);
    const host = options.host === undefined ? 'localhost' : String(options.host).replace(/^\[|\]$/g, '');
    if (isBlocked(host)) {
      process.nextTick(() => this.destroy(refusal(host)));
      return this;
    }
    options.lookup = checkedLookup(typeof options.lookup === 'function' ? options.lookup : dns.lookup);
    return Reflect.apply(connect, this, normalized[1] ? [options, normalized[1]] : [options]);
  };
}

module.exports = { install, isBlocked };
