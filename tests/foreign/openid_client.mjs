// A relying party that is made with somebody else's library: the package openid-client.
//
// It is called with the folder where its packages are and with its settings, and writes a line of
// JSON whenever it needs something: `keys` to have its public keys registered, `open` to have a
// browser go to an address and be told in a line where that ended. What it saw is its last line.
// What it sends and what it believes is the library's own doing, but for `at_hash`; the first thing
// that is not liked ends it with a failure.

import { createHash, webcrypto } from "node:crypto";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

// The library wants Node.js 20, where these two are global; in 18, which Debian 12 has, they are not.
globalThis.crypto ??= webcrypto;
globalThis.CryptoKey ??= webcrypto.CryptoKey;

const [packages, written] = process.argv.slice(2);
const settings = JSON.parse(written);
// Imports are looked for beside the file that imports, and the packages are elsewhere.
const { resolve } = createRequire(`${packages}/`);
const client = await import(pathToFileURL(resolve("openid-client")));

const input = createInterface({ input: process.stdin });
const lines = input[Symbol.asyncIterator]();
const say = (message) => console.log(JSON.stringify(message));

async function ask(message) {
  say(message);
  const { value, done } = await lines.next();
  if (done) throw new Error(`nobody answers: ${Object.keys(message)}`);
  return value;
}

/** A key of its own, whose public half is registered. */
async function registeredKey() {
  const curve = { name: "ECDSA", namedCurve: "P-256" };
  const pair = await crypto.subtle.generateKey(curve, true, ["sign", "verify"]);
  const { kty, crv, x, y } = await crypto.subtle.exportKey("jwk", pair.publicKey);
  const kid = "its-own";
  await ask({ keys: { keys: [{ kty, crv, x, y, kid, use: "sig", alg: "ES256" }] } });
  return { key: pair.privateKey, kid };
}

const { authentication, client_secret: secret } = settings;
const signs = authentication === "private_key_jwt" || settings.signed_request;
const key = signs ? await registeredKey() : undefined;
const methods = {
  client_secret_basic: () => client.ClientSecretBasic(secret),
  client_secret_post: () => client.ClientSecretPost(secret),
  private_key_jwt: () => client.PrivateKeyJwt(key),
};
// Over http on this machine; with ID tokens and userinfo verified by the published keys.
const execute = [client.allowInsecureRequests, client.enableNonRepudiationChecks];
if (settings.signed_answer) execute.push(client.useJwtResponseMode);
const config = await client.discovery(
  new URL(settings.issuer),
  settings.client_id,
  settings.metadata,
  methods[authentication](),
  { execute },
);
const DPoP = settings.bound
  ? client.getDPoPHandle(config, await client.randomDPoPKeyPair("ES256"))
  : undefined;

async function authorizationUrl(parameters) {
  if (!settings.signed_request) {
    return settings.pushed
      ? client.buildAuthorizationUrlWithPAR(config, parameters, { DPoP })
      : client.buildAuthorizationUrl(config, parameters);
  }
  const url = await client.buildAuthorizationUrlWithJAR(config, parameters, key);
  return settings.pushed
    ? client.buildAuthorizationUrlWithPAR(config, url.searchParams, { DPoP })
    : url;
}

async function logIn() {
  const pkceCodeVerifier = client.randomPKCECodeVerifier();
  const expectedState = client.randomState();
  const expectedNonce = client.randomNonce();
  const maxAge = 600;
  const url = await authorizationUrl({
    redirect_uri: settings.redirect_uri,
    scope: "openid profile offline_access",
    state: expectedState,
    nonce: expectedNonce,
    max_age: `${maxAge}`,
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: "S256",
  });
  const callback = new URL(await ask({ open: url.href }));
  const checks = { pkceCodeVerifier, expectedState, expectedNonce, maxAge, idTokenExpected: true };
  return client.authorizationCodeGrant(config, callback, checks, undefined, { DPoP });
}

/** The claims of tokens that belong together: the library leaves `at_hash` of a code's tokens alone. */
function claimsOf(tokens) {
  const claims = tokens.claims();
  const [header] = tokens.id_token.split(".");
  const { alg } = JSON.parse(Buffer.from(header, "base64url"));
  const hash = createHash(alg === "EdDSA" ? "sha512" : "sha256");
  const digest = hash.update(tokens.access_token).digest();
  const half = digest.subarray(0, digest.length / 2).toString("base64url");
  if (claims.at_hash !== half) throw new Error(`at_hash is of another token: ${claims.at_hash}`);
  return claims;
}

/** What the library makes of a refusal: an error of this kind, and nothing else. */
async function refusal(kind, promise) {
  try {
    await promise;
  } catch (error) {
    if (error instanceof kind) return error;
    throw error;
  }
  throw new Error("this was not refused");
}

// The person will not, and then does.
const declined = await refusal(client.AuthorizationResponseError, logIn());
const tokens = await logIn();
const claims = claimsOf(tokens);
const userinfo = (token) => client.fetchUserInfo(config, token, claims.sub, { DPoP });
const person = await userinfo(tokens.access_token);

const refresh = (token) => client.refreshTokenGrant(config, token, undefined, { DPoP });
const refreshed = await refresh(tokens.refresh_token);
// RFC 6749 §6: without a new one, the one before stays good.
const kept = refreshed.refresh_token ?? tokens.refresh_token;
const live = await client.tokenIntrospection(config, refreshed.access_token);

await client.tokenRevocation(config, refreshed.access_token);
const revoked = await client.tokenIntrospection(config, refreshed.access_token);
const challenged = await refusal(
  client.WWWAuthenticateChallengeError,
  userinfo(refreshed.access_token),
);
await client.tokenRevocation(config, kept);
const spent = await refusal(client.ResponseBodyError, refresh(kept));

const state = client.randomState();
const farewell = client.buildEndSessionUrl(config, {
  post_logout_redirect_uri: settings.post_logout_redirect_uri,
  id_token_hint: refreshed.id_token,
  state,
});
const back = new URL(await ask({ open: farewell.href }));
if (back.searchParams.get("state") !== state) throw new Error(`another state: ${back}`);

say({
  saw: {
    declined: declined.error,
    tokens,
    claims,
    userinfo: person,
    refreshed,
    refreshed_claims: claimsOf(refreshed),
    introspected: live,
    jkt: await DPoP?.calculateThumbprint(),
    revoked,
    challenges: challenged.cause.map(({ scheme, parameters }) => [scheme, parameters.error]),
    spent: spent.error,
  },
});
input.close();
