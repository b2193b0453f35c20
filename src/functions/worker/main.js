'use strict';

// A worker process of one app. Descriptor 3 is the socket to the server, descriptor 4 the ticket pipe (PROTOCOL.md).

const net = require('node:net');
const { Server } = require('./host/server.js');
const { install: installNetworkPolicy } = require('./host/network_policy.js');

const SOCKET_DESCRIPTOR = 3;
const TICKET_DESCRIPTOR = 4;

function main() {
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
