// The same two functions as bench/app/functions.
export function defineFunctions(Parse) {
  Parse.Cloud.define('sum', ({ params }) => params.a + params.b);

  Parse.Cloud.define('readOne', ({ params, user }) =>
    new Parse.Query('Item').get(params.id, { sessionToken: user.getSessionToken() }),
  );
}
