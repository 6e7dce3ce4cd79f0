// simple-oauth2 5: knows no discovery; it is told the token endpoint.
import { ClientCredentials } from "simple-oauth2";
import { converse, Refusal, takeRows } from "./conversation.mjs";

const METHODS = { client_secret_basic: "header", client_secret_post: "body" };

function configure({ client_id, client_secret, method, token_endpoint }) {
  const { origin, pathname } = new URL(token_endpoint);
  return new ClientCredentials({
    client: { id: client_id, secret: client_secret },
    auth: { tokenHost: origin, tokenPath: pathname },
    options: { authorizationMethod: METHODS[method] },
  });
}

async function orRefusal(promise) {
  try {
    return await promise;
  } catch (error) {
    if (!error.isBoom || !error.data?.payload) throw error;
    throw new Refusal({ status: error.output.statusCode, error: error.data.payload.error });
  }
}

await converse({
  client_credentials: async (command) =>
    (await orRefusal(configure(command).getToken(command.parameters ?? {}))).token,
  refresh: async (command) => {
    const held = configure(command).createToken({ refresh_token: command.refresh_token });
    return (await orRefusal(held.refresh(command.parameters ?? {}))).token;
  },
  rows: async (command) => {
    const headers = { authorization: `Bearer ${command.access_token}` };
    return takeRows(await fetch(command.rows_url, { headers }));
  },
});
