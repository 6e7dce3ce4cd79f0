// Keys that commands bring along as JWKs, for the Web Cryptography that the clients use.
const PARAMETERS = {
  ES256: { name: "ECDSA", namedCurve: "P-256" },
  EdDSA: { name: "Ed25519" },
  RS256: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" },
};

function importKey({ kty, crv, n, e, x, y, d, p, q, dp, dq, qi }, algorithm, usage) {
  const members = { kty, crv, n, e, x, y, d: usage === "sign" ? d : undefined };
  if (usage === "sign" && kty === "RSA") Object.assign(members, { p, q, dp, dq, qi });
  return crypto.subtle.importKey("jwk", members, PARAMETERS[algorithm], true, [usage]);
}

/** Give the private key of a command's `private_key`, as the clients want it: with its name. */
export async function importPrivateKey({ private_key, algorithm }) {
  return { key: await importKey(private_key, algorithm, "sign"), kid: private_key.kid };
}

/** Give both keys of a command's `dpop_key`; none when there is none. */
export async function importKeyPair({ dpop_key, dpop_algorithm }) {
  if (!dpop_key) return undefined;
  return {
    privateKey: await importKey(dpop_key, dpop_algorithm, "sign"),
    publicKey: await importKey(dpop_key, dpop_algorithm, "verify"),
  };
}
