// node express.mjs SETTINGS: an Express application on openid-client. SETTINGS is a file with what the
// provider's preset for other applications shows, and all that it knows of the provider. TLS_CERTIFICATE and
// TLS_KEY are its own.
import { readFileSync } from "node:fs"
import https from "node:https"

import express from "express"
import session from "express-session"
import * as oidc from "openid-client"

const settings = JSON.parse(readFileSync(process.argv[2], "utf8"))
const authentications = {
  client_secret_basic: oidc.ClientSecretBasic,
  client_secret_post: oidc.ClientSecretPost,
}
const authentication = authentications[settings.token_endpoint_auth_method](settings.client_secret)
const metadata = { id_token_signed_response_alg: settings.id_token_signed_response_alg }
const config = await oidc.discovery(new URL(settings.issuer), settings.client_id, metadata, authentication)

const callback = new URL(settings.redirect_uri)
const home = new URL(settings.post_logout_redirect_uri)
const app = express()
app.use(
  session({
    secret: oidc.randomNonce(),
    resave: false,
    saveUninitialized: false,
    cookie: { secure: true, sameSite: "lax" },
  }),
)

app.get(home.pathname, (request, response) => {
  const { claims } = request.session
  const page = claims
    ? `<p id="person"></p><script>document.all.person.textContent = ${JSON.stringify(JSON.stringify(claims))}</script>
       <a id="log-out" href="/logout">Log out</a>`
    : `<a id="log-in" href="/login">Log in</a>`
  response.send(`<!doctype html><title>Express</title>${page}`)
})

app.get("/login", async (request, response) => {
  const verifier = oidc.randomPKCECodeVerifier()
  const asked = { verifier, state: oidc.randomState(), nonce: oidc.randomNonce() }
  request.session.asked = asked
  const url = oidc.buildAuthorizationUrl(config, {
    redirect_uri: settings.redirect_uri,
    scope: settings.scope,
    state: asked.state,
    nonce: asked.nonce,
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
    code_challenge_method: settings.code_challenge_method,
  })
  response.redirect(url.href)
})

app.get(callback.pathname, async (request, response) => {
  const { verifier, state, nonce } = request.session.asked
  const tokens = await oidc.authorizationCodeGrant(config, new URL(request.originalUrl, callback), {
    pkceCodeVerifier: verifier,
    expectedState: state,
    expectedNonce: nonce,
  })
  const claims = tokens.claims()
  const more = await oidc.fetchUserInfo(config, tokens.access_token, claims.sub)
  request.session.regenerate(() => {
    request.session.claims = { ...claims, ...more }
    request.session.idToken = tokens.id_token
    response.redirect(home.href)
  })
})

app.get("/logout", (request, response) => {
  const url = oidc.buildEndSessionUrl(config, {
    id_token_hint: request.session.idToken,
    post_logout_redirect_uri: home.href,
  })
  request.session.destroy(() => response.redirect(url.href))
})

const tls = { cert: readFileSync(process.env.TLS_CERTIFICATE), key: readFileSync(process.env.TLS_KEY) }
https.createServer(tls, app).listen(Number(callback.port), "127.0.0.1", () => console.log("ready"))
