'use strict';

// A worker process of one app. Descriptor 3 is the socket to the server, descriptor 4 the ticket pipe (PROTOCOL.md).

const net = require('node:net');
const { Server } = require('./host/server.js');
const { install: installNetworkPolicy } = require('./host/network_policy.js');

const SOCKET_DESCRIPTOR = 3;
const TICKET_DESCRIPTOR = 4;

const INSPECT = '--inspect=';
const INSPECT_RETRY_MILLIS = 300;

// Opens the inspector at HOST:PORT. While a former worker holds the port, it is tried again.
function inspect(address) {
  const inspector = require('node:inspector');
  const at = address.lastIndexOf(':');
  inspector.open(Number(address.slice(at + 1)), address.slice(0, at));
  if (inspector.url() === undefined) setTimeout(inspect, INSPECT_RETRY_MILLIS, address).unref();
}

function main() {
  const wanted = process.argv.find((argument) => argument.startsWith(INSPECT));
  if (wanted !== undefined) inspect(wanted.slice(INSPECT.length));
  const socket = new net.Socket({ fd: SOCKET_DESCRIPTOR, readable: true, writable: true });
  installNetworkPolicy();
  const server = new Server(socket, process.argv.includes('--no-tickets') ? undefined : TICKET_DESCRIPTOR);
  socket.on('end', () => process.exit(0));
  socket.on('close', () => process.exit(0));
  socket.on('error', () => process.exit(0));
  process.on('unhandledRejection', (reason, promise) => server.onUnhandledRejection(reason, promise));
  process.on('uncaughtException', (error) => {
    if (!server.onUncaught(error)) process.stderr.write(`${error && error.stack ? error.stack : String(error)}\n`);
  });
}

main();
