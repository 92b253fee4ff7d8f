// What Portvakt is measured beside: node-oidc-provider, in memory, with one client and a person who needs no
// password. Its login page is a form with one button; sending it logs in and consents.
import { createServer } from 'node:http';
import { generateKeyPairSync } from 'node:crypto';
import Provider from 'oidc-provider';

const port = Number(process.argv[2]);
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const person = { name: 'Tolvan Tolvansson', personal_number: '191212121212' };

const provider = new Provider(`http://localhost:${port}`, {
  clients: [{
    client_id: 'load',
    client_secret: process.argv[3],
    redirect_uris: ['https://app.example/callback'],
    response_types: ['code'],
    grant_types: ['authorization_code'],
  }],
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256' }] },
  cookies: { keys: ['a key of cookies that guards nobody'] },
  claims: { openid: ['sub'], profile: ['name'], personal_number: ['personal_number'] },
  scopes: ['openid', 'profile', 'personal_number'],
  conformIdTokenClaims: false,
  pkce: { required: () => false },
  features: { devInteractions: { enabled: false } },
  interactions: { url: (_, { uid }) => `/interaction/${uid}` },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...person }) }),
});

async function interact(request, response) {
  const { uid, params } = await provider.interactionDetails(request, response);
  if (request.method === 'GET') {
    response.setHeader('content-type', 'text/html; charset=utf-8');
    response.end(`<!doctype html><title>Log in</title><form method="post" action="/interaction/${uid}"><button>Log in</button></form>`);
    return;
  }
  const grant = new provider.Grant({ accountId: 'person', clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  await provider.interactionFinished(request, response, {
    login: { accountId: 'person' },
    consent: { grantId: await grant.save() },
  });
}

const oidc = provider.callback();
createServer((request, response) => {
  if (request.url.startsWith('/interaction/')) {
    interact(request, response).catch((error) => {
      response.statusCode = 500;
      response.end(String(error));
    });
  } else {
    oidc(request, response);
  }
}).listen(port, '127.0.0.1');
