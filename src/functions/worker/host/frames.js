'use strict';

// Frames of the worker protocol (PROTOCOL.md): each is one BSON document.

const MAX_FRAME_BYTES = 34 * 1024 * 1024;
const FIRST_BUFFER_BYTES = 64 * 1024;
const RAW = -1;

// Cuts a byte stream into frames. `onFrame(bytes, start)`: the frame begins at `start` of `bytes`, which stay as they
// are afterwards.
class FrameReader {
  #onFrame;
  #rest = [];        // an incomplete frame
  #restBytes = 0;
  #needed = 0;       // its length, 0 when unknown

  constructor(onFrame) { this.#onFrame = onFrame; }

  push(chunk) {
    if (this.#restBytes > 0) {
      this.#rest.push(chunk);
      this.#restBytes += chunk.length;
      if (this.#needed === 0 && this.#restBytes >= 4) this.#join();
      if (this.#needed === 0 || this.#restBytes < this.#needed) return;
      chunk = this.#join();
      this.#rest = [];
      this.#restBytes = 0;
      this.#needed = 0;
    }
    this.#cut(chunk);
  }

  #join() {
    const joined = this.#rest.length === 1 ? this.#rest[0] : Buffer.concat(this.#rest);
    this.#rest = [joined];
    this.#needed = frameLength(joined, 0);
    return joined;
  }

  #cut(chunk) {
    let at = 0;
    while (chunk.length - at >= 4) {
      const length = frameLength(chunk, at);
      if (chunk.length - at < length) {
        this.#needed = length;
        break;
      }
      this.#onFrame(chunk, at);
      at += length;
    }
    if (at < chunk.length) {
      this.#rest = [chunk.subarray(at)];
      this.#restBytes = chunk.length - at;
    }
  }
}

function frameLength(bytes, at) {
  const length = bytes.readInt32LE(at);
  if (length < 5 || length > MAX_FRAME_BYTES) throw new Error(`a frame of ${length} bytes is not possible`);
  return length;
}

// The members of the document at `start`: numbers, texts and booleans as they are, everything else and always `value` as
// {type, at}: its BSON type and where its value begins.
function readFields(bytes, start) {
  const fields = {};
  let at = start + 4;
  let type;
  while ((type = bytes[at++]) !== 0) {
    const begin = at;
    while (bytes[at] !== 0) ++at;
    const name = bytes.latin1Slice(begin, at++);
    switch (name === 'value' ? RAW : type) {
      case 0x02: {
        const length = bytes.readInt32LE(at);
        fields[name] = bytes.utf8Slice(at + 4, at + 3 + length);
        at += 4 + length;
        break;
      }
      case 0x08: fields[name] = bytes[at++] !== 0; break;
      case 0x10:
        fields[name] = bytes.readInt32LE(at);
        at += 4;
        break;
      case 0x12:
        fields[name] = bytes.readInt32LE(at + 4) * 4294967296 + bytes.readUInt32LE(at);
        at += 8;
        break;
      default:
        fields[name] = { type, at };
        at += valueSize(type, bytes, at);
    }
  }
  return fields;
}

function valueSize(type, bytes, at) {
  switch (type) {
    case 0x01: case 0x09: case 0x11: case 0x12: return 8;
    case 0x08: return 1;
    case 0x10: return 4;
    case 0x03: case 0x04: case 0x0f: return bytes.readInt32LE(at);
    case 0x05: return bytes.readInt32LE(at) + 5;
    case 0x06: case 0x0a: case 0x7f: case 0xff: return 0;
    case 0x07: return 12;
    case 0x0b: {
      const first = bytes.indexOf(0, at);
      return bytes.indexOf(0, first + 1) + 1 - at;
    }
    case 0x0c: return bytes.readInt32LE(at) + 16;
    case 0x02: case 0x02: case 0x0d: case 0x0e: return bytes.readInt32LE(at) + 4;
    case 0x13: return 16;
    default: throw new Error(`unknown BSON type ${type}`);
  }
}

// The array at {type, at} as a list of its elements' fields (for arrays of documents) or texts.
function readArray(bytes, value) {
  return Object.values(readFields(bytes, value.at)).map((item) =>
    (typeof item === 'object' && item.type === 0x03 ? readFields(bytes, item.at) : item));
}

// Collects outgoing frames in one buffer. Also the sink that the realms' encoders write into: {buf, pos, reserve}.
class FrameWriter {
  #write;
  #onFrame;
  #isOpen = false;
  #nesting = [];

  // `write(buffer)` sends bytes; `onFrame()` is told of each finished frame.
  constructor(write, onFrame) {
    this.buf = Buffer.allocUnsafe(FIRST_BUFFER_BYTES);
    this.pos = 0;
    this.#write = write;
    this.#onFrame = onFrame;
  }

  reserve(bytes) {
    if (this.pos + bytes <= this.buf.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.buf.length * 2, this.pos + bytes));
    this.buf.copy(larger, 0, 0, this.pos);
    this.buf = larger;
  }

  begin(kind) {
    if (this.#isOpen) throw new Error('a value that is being sent must not start another operation');
    this.#isOpen = true;
    const start = this.pos;
    this.reserve(32);
    this.pos += 4;
    this.string('t', kind);
    return start;
  }

  end(start) {
    this.#patch(start);
    this.#isOpen = false;
    if (this.pos - start > MAX_FRAME_BYTES) {
      this.pos = start;
      throw new Error('a value is too large to be sent');
    }
    this.#onFrame();
  }

  abort(start) {
    this.pos = start;
    this.#isOpen = false;
    this.#nesting.length = 0;
  }

  #patch(start) {
    this.reserve(1);
    this.buf[this.pos++] = 0;
    this.buf.writeInt32LE(this.pos - start, start);
  }

  #head(type, name) {
    this.reserve(name.length * 3 + 32);
    this.buf[this.pos++] = type;
    this.pos += this.buf.latin1Write(name, this.pos);
    this.buf[this.pos++] = 0;
  }

  string(name, text) {
    this.#head(0x02, name);
    this.reserve(text.length * 3 + 16);
    const length = this.buf.utf8Write(text, this.pos + 4);
    this.buf.writeInt32LE(length + 1, this.pos);
    this.pos += 4 + length;
    this.buf[this.pos++] = 0;
  }

  int64(name, value) {
    this.#head(0x12, name);
    this.buf.writeInt32LE(value | 0, this.pos);
    this.buf.writeInt32LE(Math.floor(value / 4294967296) | 0, this.pos + 4);
    this.pos += 8;
  }

  int32(name, value) {
    this.#head(0x10, name);
    this.buf.writeInt32LE(value, this.pos);
    this.pos += 4;
  }

  bool(name, value) {
    this.#head(0x08, name);
    this.buf[this.pos++] = value ? 1 : 0;
  }

  open(name, isArray = false) {
    this.#head(isArray ? 0x04 : 0x03, name);
    this.#nesting.push(this.pos);
    this.pos += 4;
  }

  close() { this.#patch(this.#nesting.pop()); }

  strings(name, texts) {
    this.open(name, true);
    for (let i = 0; i < texts.length; ++i) this.string(String(i), texts[i]);
    this.close();
  }

  // Sends what is finished.
  flush() {
    if (this.pos === 0) return;
    const full = this.buf.subarray(0, this.pos);
    if (this.pos * 2 > this.buf.length || this.buf.length > 4 * FIRST_BUFFER_BYTES) {
      this.buf = Buffer.allocUnsafe(FIRST_BUFFER_BYTES);
    } else {
      this.buf = this.buf.subarray(this.pos);
    }
    this.pos = 0;
    this.#write(full);
  }
}

module.exports = { FrameReader, FrameWriter, MAX_FRAME_BYTES, readArray, readFields, valueSize };
