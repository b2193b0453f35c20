const functions = {
  sum: (a, b) => a + b,
};

export default {
  async fetch(request) {
    const call = await request.json();
    return Response.json(functions[call.name](...call.arguments));
  },
};
