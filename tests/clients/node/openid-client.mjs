// openid-client 6: finds the server by its issuer.
import * as client from "openid-client";
import { converse, Refusal, takeRows } from "./conversation.mjs";

const METHODS = { client_secret_basic: client.ClientSecretBasic, client_secret_post: client.ClientSecretPost };

function discover({ issuer, client_id, client_secret, method }) {
  return client.discovery(new URL(issuer), client_id, undefined, METHODS[method](client_secret), {
    algorithm: "oauth2",
  });
}

async function orRefusal(promise) {
  try {
    return await promise;
  } catch (error) {
    if (error instanceof client.ResponseBodyError) {
      throw new Refusal({ status: error.status, error: error.error });
    }
    if (error instanceof client.WWWAuthenticateChallengeError) {
      const [{ scheme, parameters }] = error.cause;
      throw new Refusal({ status: error.status, scheme, error: parameters.error });
    }
    throw error;
  }
}

await converse({
  metadata: async (command) => (await discover(command)).serverMetadata(),
  client_credentials: async (command) => {
    const configuration = await discover(command);
    return orRefusal(client.clientCredentialsGrant(configuration, command.parameters));
  },
  refresh: async (command) => {
    const configuration = await discover(command);
    return orRefusal(client.refreshTokenGrant(configuration, command.refresh_token, command.parameters));
  },
  rows: async (command) => {
    const configuration = await discover(command);
    const url = new URL(command.rows_url);
    return takeRows(await orRefusal(client.fetchProtectedResource(configuration, command.access_token, url, "GET")));
  },
});
