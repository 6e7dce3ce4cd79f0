// openid-client 6: finds the server by its issuer.
import * as client from "openid-client";
import { makeFetch } from "./certificate.mjs";
import { converse, Refusal, takeRows } from "./conversation.mjs";
import { importKeyPair, importPrivateKey } from "./keys.mjs";

const METHODS = {
  client_secret_basic: (command) => client.ClientSecretBasic(command.client_secret),
  client_secret_post: (command) => client.ClientSecretPost(command.client_secret),
  private_key_jwt: async (command) => client.PrivateKeyJwt(await importPrivateKey(command)),
  tls: () => client.TlsClientAuth(),
};

async function discover(command) {
  const authentication = await METHODS[command.method](command);
  const configuration = await client.discovery(new URL(command.issuer), command.client_id, undefined, authentication, {
    algorithm: "oauth2",
  });
  const fetchWithCertificate = makeFetch(command);
  if (fetchWithCertificate) configuration[client.customFetch] = fetchWithCertificate;
  return configuration;
}

async function prepareProofs(configuration, command) {
  const pair = await importKeyPair(command);
  return pair ? { DPoP: client.getDPoPHandle(configuration, pair) } : {};
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
    const options = await prepareProofs(configuration, command);
    return orRefusal(client.clientCredentialsGrant(configuration, command.parameters, options));
  },
  refresh: async (command) => {
    const configuration = await discover(command);
    const options = await prepareProofs(configuration, command);
    return orRefusal(client.refreshTokenGrant(configuration, command.refresh_token, command.parameters, options));
  },
  exchange: async (command) => {
    const configuration = await discover(command);
    const options = await prepareProofs(configuration, command);
    return orRefusal(client.genericGrantRequest(configuration, command.grant_type, command.parameters, options));
  },
  introspect: async (command) => {
    const configuration = await discover(command);
    return orRefusal(client.tokenIntrospection(configuration, command.token));
  },
  revoke: async (command) => {
    await orRefusal(client.tokenRevocation(await discover(command), command.token));
    return true;
  },
  rows: async (command) => {
    const configuration = await discover(command);
    const options = await prepareProofs(configuration, command);
    const read = client.fetchProtectedResource(
      configuration,
      command.access_token,
      new URL(command.rows_url),
      "GET",
      undefined,
      undefined,
      options,
    );
    return takeRows(await orRefusal(read));
  },
});
