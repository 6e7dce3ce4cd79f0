// oauth4webapi 3: every request and every answer by hand, each answer judged by the standard.
import * as oauth from "oauth4webapi";
import { makeFetch } from "./certificate.mjs";
import { converse, Refusal, takeRows } from "./conversation.mjs";
import { importKeyPair, importPrivateKey } from "./keys.mjs";

const METHODS = {
  client_secret_basic: (command) => oauth.ClientSecretBasic(command.client_secret),
  client_secret_post: (command) => oauth.ClientSecretPost(command.client_secret),
  private_key_jwt: async (command) => oauth.PrivateKeyJwt(await importPrivateKey(command)),
  tls: () => oauth.TlsClientAuth(),
};

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

/** Do it with proofs when the command has a key for them; once more when the server asks for a nonce. */
async function withProofs(command, act) {
  const client = { client_id: command.client_id };
  const pair = await importKeyPair(command);
  const options = pair ? { DPoP: oauth.DPoP(client, pair) } : {};
  const fetchWithCertificate = makeFetch(command);
  if (fetchWithCertificate) options[oauth.customFetch] = fetchWithCertificate;
  try {
    return await act(client, options);
  } catch (error) {
    if (!pair || !oauth.isDPoPNonceError(error)) throw error;
    return await act(client, options);
  }
}

async function askForTokens(command, request, process) {
  const server = await discover(command);
  const authentication = await METHODS[command.method](command);
  const ask = async (client, options) =>
    process(server, client, await request(server, client, authentication, options));
  return orRefusal(withProofs(command, ask));
}

await converse({
  metadata: discover,
  client_credentials: (command) => {
    const request = (server, client, authentication, options) =>
      oauth.clientCredentialsGrantRequest(server, client, authentication, command.parameters ?? {}, options);
    return askForTokens(command, request, oauth.processClientCredentialsResponse);
  },
  refresh: (command) => {
    const request = (server, client, authentication, options) =>
      oauth.refreshTokenGrantRequest(server, client, authentication, command.refresh_token, {
        additionalParameters: command.parameters ?? {},
        ...options,
      });
    return askForTokens(command, request, oauth.processRefreshTokenResponse);
  },
  exchange: (command) => {
    const request = (server, client, authentication, options) =>
      oauth.genericTokenEndpointRequest(
        server,
        client,
        authentication,
        command.grant_type,
        command.parameters,
        options,
      );
    return askForTokens(command, request, oauth.processGenericTokenEndpointResponse);
  },
  // RFC 7662, and RFC 9701 when the answer is wanted signed: its signature is checked by the published keys.
  introspect: async (command) => {
    const server = await discover(command);
    const client = {
      client_id: command.client_id,
      ...(command.signed ? { introspection_signed_response_alg: command.token_algorithm } : {}),
    };
    const answer = await oauth.introspectionRequest(
      server,
      client,
      await METHODS[command.method](command),
      command.token,
      { requestJwtResponse: command.signed === true },
    );
    const told = await orRefusal(oauth.processIntrospectionResponse(server, client, answer));
    if (command.signed) await oauth.validateApplicationLevelSignature(server, answer);
    return told;
  },
  revoke: async (command) => {
    const server = await discover(command);
    const client = { client_id: command.client_id };
    const authentication = await METHODS[command.method](command);
    const answer = await oauth.revocationRequest(server, client, authentication, command.token);
    await orRefusal(oauth.processRevocationResponse(answer));
    return true;
  },
  // RFC 7591 with an initial access token.
  register: async (command) => {
    const server = await discover(command);
    const answer = await oauth.dynamicClientRegistrationRequest(server, command.metadata, {
      initialAccessToken: command.initial_access_token,
    });
    return orRefusal(oauth.processDynamicClientRegistrationResponse(answer));
  },
  rows: async (command) => {
    const url = new URL(command.rows_url);
    const read = (client, options) =>
      oauth.protectedResourceRequest(command.access_token, "GET", url, undefined, undefined, options);
    return takeRows(await orRefusal(withProofs(command, read)));
  },
  // As a resource server does: the published keys, RFC 9068 §4, and for a bound token its proof.
  check_token: async (command) => {
    const server = await discover(command);
    const pair = await importKeyPair(command);
    const headers = { authorization: `${pair ? "DPoP" : "Bearer"} ${command.access_token}` };
    const request = new Request(command.rows_url, { headers });
    if (pair) {
      const client = { client_id: command.client_id };
      let proof;
      const catchProof = async (_url, { headers: sent }) => {
        proof = new Headers(sent).get("dpop");
        return new Response(null, { status: 200 });
      };
      const options = { DPoP: oauth.DPoP(client, pair), [oauth.customFetch]: catchProof };
      const url = new URL(command.rows_url);
      await oauth.protectedResourceRequest(command.access_token, "GET", url, undefined, undefined, options);
      request.headers.set("dpop", proof);
    }
    return oauth.validateJwtAccessToken(server, request, command.audience, {
      signingAlgorithms: [command.token_algorithm, ...(pair ? [command.dpop_algorithm] : [])],
      requireDPoP: pair !== undefined,
    });
  },
});
