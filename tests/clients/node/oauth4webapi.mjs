// oauth4webapi 3: every request and every answer by hand, each answer judged by the standard.
import * as oauth from "oauth4webapi";
import { converse, Refusal, takeRows } from "./conversation.mjs";

const METHODS = { client_secret_basic: oauth.ClientSecretBasic, client_secret_post: oauth.ClientSecretPost };

async function discover({ issuer }) {
  const answer = await oauth.discoveryRequest(new URL(issuer), { algorithm: "oauth2" });
  return oauth.processDiscoveryResponse(new URL(issuer), answer);
}

async function orRefusal(promise) {
  try {
    return await promise;
  } catch (error) {
    if (error instanceof oauth.ResponseBodyError) {
      throw new Refusal({ status: error.status, error: error.error });
    }
    if (error instanceof oauth.WWWAuthenticateChallengeError) {
      const [{ scheme, parameters }] = error.cause;
      throw new Refusal({ status: error.status, scheme, error: parameters.error });
    }
    throw error;
  }
}

await converse({
  metadata: discover,
  client_credentials: async (command) => {
    const server = await discover(command);
    const client = { client_id: command.client_id };
    const authentication = METHODS[command.method](command.client_secret);
    const answer = await oauth.clientCredentialsGrantRequest(server, client, authentication, command.parameters ?? {});
    return orRefusal(oauth.processClientCredentialsResponse(server, client, answer));
  },
  refresh: async (command) => {
    const server = await discover(command);
    const client = { client_id: command.client_id };
    const authentication = METHODS[command.method](command.client_secret);
    const answer = await oauth.refreshTokenGrantRequest(server, client, authentication, command.refresh_token, {
      additionalParameters: command.parameters ?? {},
    });
    return orRefusal(oauth.processRefreshTokenResponse(server, client, answer));
  },
  rows: async (command) => {
    const url = new URL(command.rows_url);
    return takeRows(await orRefusal(oauth.protectedResourceRequest(command.access_token, "GET", url)));
  },
});
