exports = function fail(how) {
  const ways = {
    text: () => { throw "plain text"; },
    error: () => { throw new Error("boom"); },
    errorWithMembers: () => { throw Object.assign(new Error("boom"), { code: 7 }); },
    object: () => { throw { reason: "none", code: 7 }; },
    reference: () => unknown.member,
    type: () => undefined.post,
    range: () => { throw new RangeError("out of range"); },
    rejection: () => Promise.reject(new Error("rejected")),
  };
  return ways[how]();
};
