// Parse Server on PostgreSQL with the benchmark's two classes. Settings come from the environment:
// PORT, DATABASE_SOCKET (directory of the server's Unix socket), DATABASE_PORT, DATABASE_USER.
import { ParseServer } from 'parse-server';

import { defineFunctions } from './cloud.js';

const { PORT, DATABASE_SOCKET, DATABASE_PORT, DATABASE_USER } = process.env;

const signedInOnly = { requiresAuthentication: true };

function ownedClass(className, protectedFields) {
  return {
    className,
    fields: {
      owner: { type: 'String' },
      title: { type: 'String' },
      category: { type: 'String' },
      body: { type: 'String' },
      amount: { type: 'Number' },
      rating: { type: 'Number' },
      internal: { type: 'String' },
    },
    classLevelPermissions: {
      get: signedInOnly,
      find: signedInOnly,
      create: signedInOnly,
      protectedFields: { '*': protectedFields },
    },
  };
}

await ParseServer.startApp({
  appId: 'bench',
  masterKey: 'bench-master',
  port: Number(PORT),
  host: '127.0.0.1',
  serverURL: `http://127.0.0.1:${PORT}/parse`,
  mountPath: '/parse',
  databaseURI: `postgres://${DATABASE_USER}@localhost:${DATABASE_PORT}/postgres`,
  databaseOptions: { host: DATABASE_SOCKET },
  cloud: defineFunctions,
  schema: {
    definitions: [ownedClass('Item', ['internal']), ownedClass('Write', [])],
    strict: true,
  },
  allowClientClassCreation: false,
  logLevel: 'error',
  logsFolder: null,
  silent: true,
});
