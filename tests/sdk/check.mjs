// Assertions that work alike in Node.js and in a browser.
import { EJSON } from "bson";

const show = (value) => {
  if (value === undefined) return "undefined";
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  return typeof value === "object" ? EJSON.stringify(value) : JSON.stringify(value);
};

export function ok(value, what) {
  if (!value) throw new Error(`${what}: got ${show(value)}`);
}

export function same(actual, expected, what = "value") {
  const [a, e] = [canonical(actual), canonical(expected)];
  if (a !== e) throw new Error(`${what}: expected ${e}, got ${a}`);
}

// Members in one order, so that only the content counts.
function canonical(value) {
  if (value === undefined) return "undefined";
  const sorted = (v) => {
    if (Array.isArray(v)) return v.map(sorted);
    if (v === null || typeof v !== "object") return v;
    return Object.fromEntries(Object.keys(v).sort().map((k) => [k, sorted(v[k])]));
  };
  return JSON.stringify(sorted(EJSON.serialize({ v: value }).v));
}

// The promise has to be rejected by the server with these members of realm-web's error.
export async function refused(promise, expected, what = "refusal") {
  let outcome;
  try {
    outcome = await promise;
  } catch (error) {
    for (const [member, wanted] of Object.entries(expected)) {
      const got = error[member];
      const fits = wanted instanceof RegExp ? wanted.test(String(got)) : got === wanted;
      if (!fits) throw new Error(`${what}: ${member} is ${show(got)}, expected ${wanted} (${error.message})`);
    }
    return error;
  }
  throw new Error(`${what}: expected an error, got ${show(outcome)}`);
}
