'use strict';

// Compiles the sources of functions and packages once; realms instantiate them.

const vm = require('node:vm');
const { asCommonJs, isTypeScript, withoutTypes } = require('./languages.js');

const FUNCTION_PARAMETERS = ['exports', 'context'];

// Globals that compiled code gets as parameters: reading one through a realm's global object costs 50 times as much.
// A name that some source of the app assigns is left out, so that the assignment is seen everywhere.
const FAST_GLOBALS = ['Object', 'Array', 'String', 'Number', 'Boolean', 'Symbol', 'Math', 'JSON', 'Date', 'RegExp', 'Map',
  'Set', 'WeakMap', 'WeakSet', 'Promise', 'Error', 'TypeError', 'RangeError', 'Reflect', 'Proxy', 'BigInt', 'ArrayBuffer',
  'DataView', 'Uint8Array', 'parseInt', 'parseFloat', 'isNaN', 'isFinite', 'NaN', 'Infinity', 'encodeURIComponent',
  'decodeURIComponent', 'BSON', 'EJSON', 'console', 'utils', 'Buffer', 'setTimeout', 'clearTimeout', 'require', 'process'];

// How a realm must be checked after a source has run in it (host/integrity.js).
const LEVELS = { GLOBALS: 0, CORE: 1, VALUES: 2, FULL: 3, DISCARD: 4 };

const DISCARDING = /\b(?:FinalizationRegistry|WeakRef|import\s*\()/;
const REDEFINING = /\b(?:prototype|__proto__|eval|Function|Reflect|Proxy|with|[gs]etPrototypeOf|define\w*|freeze|seal|preventExtensions|__\w+__)\b|\\u|\\x/;
const REACHING = /\b(?:constructor|globalThis|global|this|super|caller|callee)\b/;
// A member read by a computed name, except by a literal number or text.
const COMPUTED = /(?<=[\w$)\]}"'`,{]|\?\.)(?<!(?<![.$\w])(?:return|in|case|throw|typeof|else|do|void))\s*\[(?!\s*(?:\d+|"[\w ]*"|'[\w ]*')?\s*\])/;
// A global object used otherwise than by calling it or a member of it.
const GLOBAL_OBJECTS = 'Object|Array|String|Number|Boolean|Symbol|Math|JSON|Date|RegExp|Map|Set|WeakMap|WeakSet|Promise|' +
  '\\w*Error|BigInt|ArrayBuffer|SharedArrayBuffer|DataView|Atomics|Intl|WebAssembly|\\w+Array|BSON|EJSON|console|utils|' +
  'Buffer|process|HTTPResponse|URL|URLSearchParams|TextEncoder|TextDecoder|parseInt|parseFloat|isNaN|isFinite|' +
  'set(?:Timeout|Interval|Immediate)|clear(?:Timeout|Interval|Immediate)|queueMicrotask|require|escape|unescape|' +
  '(?:en|de)codeURI(?:Component)?';
const GLOBAL_USE = new RegExp(`(?<![.\\w$])(?:${GLOBAL_OBJECTS})\\b(?!\\s*\\(|\\s*\\.\\s*\\w+\\s*(?:\\.\\s*\\w+\\s*)?\\()`);

// Makers of values whose prototypes are not among the core ones.
const RARE_MAKERS = /\b(?:Weak(?:Map|Set)|\w+Array|\w*ArrayBuffer|DataView|Intl|Symbol|BigInt|Atomics|WebAssembly|URL\w*|Text\w+|require|process|Buffer|to(?:Locale)\w*|utils)\b|\b\d+n\b/;

// GLOBALS: the source reaches no built-in object except to call it. CORE: by computed names it may reach the prototypes
// and constructors of the values at hand. VALUES: it may reach any. FULL: it may also change attributes or prototypes.
function levelOf(source) {
  if (DISCARDING.test(source)) return LEVELS.DISCARD;
  if (REDEFINING.test(source)) return LEVELS.FULL;
  if (REACHING.test(source) || GLOBAL_USE.test(source)) return LEVELS.VALUES;
  if (!COMPUTED.test(source)) return LEVELS.GLOBALS;
  return RARE_MAKERS.test(source) ? LEVELS.VALUES : LEVELS.CORE;
}

// The fast globals that none of the sources assigns or declares anew.
function fastGlobalsFor(sources) {
  return FAST_GLOBALS.filter((name) => {
    const assigned = new RegExp(`(?<![\\w$])${name}\\s*(?:=[^=>]|\\+\\+|--|[-+*/|&^%?]{1,2}=)`);
    return !sources.some((source) => assigned.test(source));
  });
}

const IMPORT = /^([ \t]*)import\s+(?:([\w$\s{},*]*?)\s+from\s+)?(['"])([^'"\n]+)\3[ \t]*;?/gm;

function importTarget(clause, index) {
  const parts = [];
  let rest = clause.trim();
  const name = `__import${index}`;
  const first = /^([\w$]+)\s*(?:,\s*|$)/.exec(rest);
  if (first !== null) {
    parts.push(`${first[1]} = ${name} && ${name}.__esModule ? ${name}.default : ${name}`);
    rest = rest.slice(first[0].length);
  }
  const all = /^\*\s*as\s+([\w$]+)$/.exec(rest);
  if (all !== null) {
    parts.push(`${all[1]} = ${name}`);
  } else if (rest.startsWith('{') && rest.endsWith('}')) {
    const members = rest.slice(1, -1).split(',').map((item) => item.trim()).filter((item) => item !== '');
    parts.push(`{${members.map((item) => item.replace(/\s+as\s+/, ': ')).join(', ')}} = ${name}`);
  } else if (rest !== '') {
    return undefined;
  }
  return { name, parts };
}

// Rewrites top-level ES imports as `require`; line numbers stay.
function convertImports(source) {
  let index = 0;
  return source.replace(IMPORT, (whole, indent, clause, _quote, module) => {
    const lines = '\n'.repeat(whole.split('\n').length - 1);
    const call = `require(${JSON.stringify(module)})`;
    if (clause === undefined) return `${indent}${call};${lines}`;
    const target = importTarget(clause, index);
    if (target === undefined) return whole;
    ++index;
    return `${indent}const ${target.name} = ${call}, ${target.parts.join(', ')};${lines}`;
  });
}

// {message, line, column} of the first error, or undefined when the source is a valid function body.
function syntaxError(source, parameters, filename) {
  try {
    vm.compileFunction(source, parameters, { filename });
    return undefined;
  } catch (error) {
    return { message: String(error.message), ...placeOf(error, filename) };
  }
}

// The engine tells the place in front of the stack: "<file>:<line>", the line, and carets below its column.
function placeOf(error, filename) {
  const [head, , carets] = String(error.stack).split('\n');
  const line = head.startsWith(`${filename}:`) ? Number(head.slice(filename.length + 1)) : NaN;
  if (!Number.isInteger(line)) return {};
  const blanks = carets === undefined ? null : /^\s*/.exec(carets);   // no caret follows at the end of the text
  return { line, column: blanks === null ? undefined : blanks[0].length + 1 };
}

// Compiles to a script whose value is a factory: called with the fast globals it gives the wrapped source.
function compileWrapped(head, source, tail, fastGlobals, filename) {
  const prefix = `(function (${fastGlobals.join(', ')}) { ${head}`;
  return new vm.Script(`${prefix}${source}\n${tail} })`, { filename, columnOffset: -prefix.length });
}

// Calls of import(), which needs `require` here.
const DYNAMIC_IMPORT = /(?<![.\w$])import\s*\(/;

// {text} of a function's source as a script, or {error}.
function scriptOf(source, filename) {
  let text = source;
  if (isTypeScript(filename)) {
    const stripped = withoutTypes(source, filename);
    if (stripped.error !== undefined) return stripped;
    text = stripped.code;
  }
  let error = syntaxError(text, FUNCTION_PARAMETERS, filename);
  if (error !== undefined && /import statement|import declarations/.test(error.message)) {
    text = convertImports(text);
    error = syntaxError(text, FUNCTION_PARAMETERS, filename);
  }
  if (error !== undefined) return { error };
  if (DYNAMIC_IMPORT.test(text)) {
    const converted = asCommonJs(text, filename);
    if (converted.error === undefined && syntaxError(converted.code, FUNCTION_PARAMETERS, filename) === undefined) {
      text = converted.code;
    }
  }
  return { text };
}

// {script} of a function's source or {error: {message, line, column}}. The script's factory gives
// instantiate(context) -> what `exports` is.
function compileFunctionSource(source, filename, fastGlobals) {
  const { text, error } = scriptOf(source, filename);
  if (error !== undefined) return { error };
  const head = 'return function (context) { let exports = {}; (function () { ';
  return { script: compileWrapped(head, text, '}).call(); return exports; };', fastGlobals, filename) };
}

// {script} of a package's file or {error}.
function compilePackageSource(source, filename, fastGlobals, isModule) {
  const parameters = ['exports', 'require', 'module', '__filename', '__dirname'];
  let text = source.startsWith('#!') ? `//${source}` : source;
  let error;
  if (isModule || DYNAMIC_IMPORT.test(text)) {
    const converted = asCommonJs(text, filename);
    if (converted.error === undefined) text = converted.code;
    else if (isModule) error = converted.error;
  }
  if (error === undefined) error = syntaxError(text, parameters, filename);
  if (error !== undefined) return { error };
  return { script: compileWrapped(`return function (${parameters.join(', ')}) { `, text, '};', fastGlobals, filename) };
}

// [{module, line}] of the modules that a source names in `require` and `import`.
function requiredModules(source) {
  const found = [];
  source.split('\n').forEach((text, index) => {
    for (const match of text.matchAll(/\brequire\s*\(\s*(['"`])([^'"`$\n]+)\1\s*\)|^\s*import\s+(?!type\b)(?:[\w$\s{},*]*?\sfrom\s+)?(['"])([^'"\n]+)\3/g)) {
      if (/\/\/|^\s*\*/.test(text.slice(0, match.index))) continue;
      found.push({ module: match[2] === undefined ? match[4] : match[2], line: index + 1 });
    }
  });
  return found;
}

module.exports = { FAST_GLOBALS, LEVELS, compileFunctionSource, compilePackageSource, convertImports, fastGlobalsFor, levelOf, requiredModules };
