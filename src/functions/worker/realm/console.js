'use strict';

// console for functions (spec: functions §5.6): one call is one line, lines and bytes are limited.

const { isErrorObject } = require('./errors.js');

module.exports = function createConsole(host, ejson, requestOf) {
  const { Buffer } = host;

  function show(value) {
    switch (typeof value) {
      case 'string': return value;
      case 'function': return `[Function: ${value.name || 'anonymous'}]`;
      case 'object': break;
      default: return String(value);
    }
    if (value === null) return 'null';
    if (isErrorObject(value)) return `${value.name}: ${value.message}`;
    try {
      return ejson.stringify(value, { relaxed: true });
    } catch {
      return Object.prototype.toString.call(value);
    }
  }

  // At most `limit` bytes, cut between characters.
  function cut(line, limit) {
    if (line.length * 3 <= limit || Buffer.byteLength(line) <= limit) return line;
    const bytes = Buffer.from(line.slice(0, limit), 'utf8');
    let end = limit;
    while (end > 0 && (bytes[end] & 0xc0) === 0x80) --end;
    return bytes.toString('utf8', 0, end);
  }

  function writer(isError) {
    return (...values) => {
      const request = requestOf();
      if (request !== null) request.addLog(cut(values.map(show).join(' '), request.limits.maxLogLineBytes), isError);
    };
  }

  return {
    log: writer(false), info: writer(false), debug: writer(false), warn: writer(false), trace: writer(false),
    dir: writer(false), error: writer(true),
  };
};
