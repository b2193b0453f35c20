'use strict';

const { FunctionError, MongoError } = require('./errors.js');

// How long a transaction that loses races is run again; its call may end sooner.
const RETRY_MILLIS = 120000;
const FIRST_PAUSE_MILLIS = 5;
const LONGEST_PAUSE_MILLIS = 500;

const { now } = Date;
const { min, random } = Math;

function isTransient(error) {
  return error instanceof MongoError && error.hasErrorLabel('TransientTransactionError');
}

// A random part of a time that grows with the attempts, so that rivals do not meet again.
function pauseOf(attempt) {
  return random() * min(LONGEST_PAUSE_MILLIS, FIRST_PAUSE_MILLIS * 1.5 ** (attempt - 1));
}

// A client session (spec: functions §7.2). Statements of one transaction go to the server one after the other.
class ClientSession {
  #request;
  #service;
  #id;
  #isOpen = false;
  #hasEnded = false;
  #refusal; // why the source began no transaction
  #tail = Promise.resolve();

  constructor(request, service) {
    this.#request = request;
    this.#service = service;
    this.#id = ++request.lastSession;
  }

  // Puts `work` behind what the session does already.
  #enqueue(work) {
    const result = this.#tail.then(work);
    this.#tail = result.catch(() => {});
    return result;
  }

  #ask(action) { return this.#request.sessionAction(this.#service, action, this.#id); }

  // For collections: runs `operate(sessionId)` inside the transaction, or at once when none is open.
  static run(session, operate) {
    if (!(session instanceof ClientSession)) throw new TypeError('session must be a ClientSession');
    if (session.#hasEnded) throw new FunctionError('cannot use a session that has ended');
    if (!session.#isOpen) return operate(undefined);
    return session.#enqueue(() => {
      if (session.#refusal) throw session.#refusal;
      return operate(session.#id);
    });
  }

  get inTransaction() { return this.#isOpen; }

  startTransaction() {
    if (this.#hasEnded) throw new FunctionError('cannot use a session that has ended');
    if (this.#isOpen) throw new FunctionError('transaction already in progress');
    this.#isOpen = true;
    this.#refusal = undefined;
    this.#enqueue(() => this.#ask('start').catch((error) => { this.#refusal = error; }));
  }

  async commitTransaction() {
    if (!this.#isOpen) throw new FunctionError('no transaction started');
    this.#isOpen = false;
    await this.#end('commit');
  }

  // Harmless when no transaction is open: code calls it after a failed withTransaction.
  async abortTransaction() {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await this.#end('abort');
  }

  // Of what never began there is nothing to abort and nothing to commit.
  #end(action) {
    return this.#enqueue(() => {
      if (!this.#refusal) return this.#ask(action);
      if (action === 'commit') throw this.#refusal;
      return undefined;
    });
  }

  async endSession() {
    if (this.#hasEnded) return;
    await this.abortTransaction();
    this.#hasEnded = true;
  }

  // Commits when the promise of `callback` resolves, aborts when it rejects; a lost race is run again.
  async withTransaction(callback) {
    const begin = now();
    for (let attempt = 1; ; ++attempt) {
      this.startTransaction();
      try {
        const result = await callback(this);
        if (this.#isOpen) await this.commitTransaction();
        return result;
      } catch (error) {
        await this.abortTransaction().catch(() => {});
        if (!isTransient(error) || now() - begin >= RETRY_MILLIS) throw error;
        await this.#request.pause(pauseOf(attempt));
      }
    }
  }
}

module.exports = { ClientSession };
