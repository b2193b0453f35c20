'use strict';

// What is not plain CommonJS becomes it here: types are removed from TypeScript, and ES modules are rewritten. Both
// keep every line where it is; TypeScript keeps its columns too. The translators are loaded when they are first needed.

// {code} or {error: {message, line, column}}.
function withoutTypes(source, filename) {
  const { transformSync } = require('@swc/wasm-typescript');
  try {
    return { code: transformSync(source, { mode: 'strip-only', module: true, filename }).code };
  } catch (error) {
    const { message, startLine, startColumn } = Object(error);
    const column = startColumn === undefined ? undefined : startColumn + 1;
    return { error: { message: message === undefined ? String(error) : String(message), line: startLine, column } };
  }
}

// The same for an ES module. `import()` is rewritten as well.
function asCommonJs(source, filename) {
  const { transform } = require('sucrase');
  try {
    const { code } = transform(source, { transforms: ['imports'], filePath: filename, disableESTransforms: true });
    return { code: code.replace(/\bimport\.meta\.url\b/g, '("file://" + __filename)') };
  } catch (error) {
    const { line, column } = Object(error.loc);
    return { error: { message: String(error.message).replace(/^Error transforming [^:]*: /, ''), line, column } };
  }
}

const isTypeScript = (filename) => /\.[cm]?ts$/.test(filename);

module.exports = { asCommonJs, isTypeScript, withoutTypes };
