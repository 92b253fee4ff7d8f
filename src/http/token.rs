//! The token endpoint (RFC 6749 §3.2, OpenID Connect Core §3.1.3).

use serde_json::{Value, json};

use super::answer::Answer;
use super::authorize::PARAMETER_LIMIT;
use super::dpop::{self, Asked};
use super::input::Request;
use crate::authorize::request::Parameters;
use crate::authorize::resource::Resources;
use crate::client::authentication::{Credentials, Measure, Mistake, Sent, authenticate};
use crate::client::certificate::Presented;
use crate::client::mistake::Reason;
use crate::client::{AccessTokens, Client};
use crate::clock::Timestamp;
use crate::discovery;
use crate::error::{Code, Error, Refusal};
use crate::id::{ClientId, Id};
use crate::jose::jwks::Jwks;
use crate::provider::Provider;
use crate::secret::{Digest, Secret, kind as secret};
use crate::storage::{Exchange, Rotation, SignedKind};
use crate::telemetry::traces;
use crate::token::binding::{self, Binding, token_type};
use crate::token::code::{self, Consequence, Redemption};
use crate::token::dpop::{Proof, is_bound};
use crate::token::grant::{ACCESS_TOKEN_LIFETIME, Grant, Tokens};
use crate::token::refresh::Turn;
use crate::token::{GrantType, access_token, client_credentials, id_token, refresh};

pub async fn post(provider: Provider, request: Request) -> Result<Answer, Error> {
    // Requests that were sent at once came at once, however long each of them then waits.
    let at = provider.clock.now();
    let form = form(&request)?;
    let client = client(&provider, &request, &form).await?;
    let here = Asked {
        method: "POST",
        path: "/token",
    };
    let proof = dpop::verified(&provider, &request, here)?;
    let certificate = request.certificate.as_ref().map(Presented::thumbprint);
    let binding = binding::of_request(&client.metadata, proof.as_ref(), certificate)?;
    let asked = TokenRequest {
        client: &client,
        form: &form,
        proof: proof.as_ref(),
        binding: binding.as_ref(),
        at,
    };
    match form.first("grant_type").map(GrantType::parse) {
        Some(Some(GrantType::AuthorizationCode)) => exchange(&provider, asked).await,
        Some(Some(GrantType::RefreshToken)) => refreshed(&provider, asked).await,
        Some(Some(GrantType::ClientCredentials)) => given(&provider, asked).await,
        Some(None) => Err(UNSUPPORTED_GRANT.into()),
        None => Err(Refusal::new(Code::InvalidRequest, "grant_type is missing")
            .because(Reason::GrantTypeMissing)
            .into()),
    }
}

/// Who asks for tokens, and what for.
#[derive(Clone, Copy)]
struct TokenRequest<'a> {
    /// Who, authenticated.
    client: &'a Client,
    /// What for.
    form: &'a Parameters,
    /// By which key (RFC 9449 §5).
    proof: Option<&'a Proof>,
    /// What the answer is bound to.
    binding: Option<&'a Binding>,
    /// Since when.
    at: Timestamp,
}

const UNSUPPORTED_GRANT: Refusal = Refusal::new(
    Code::UnsupportedGrantType,
    "grant_type must be authorization_code, refresh_token or client_credentials",
)
.because(Reason::GrantTypeUnsupported);
const NO_REFRESH: Refusal = Refusal::new(
    Code::UnauthorizedClient,
    "this client is not registered for refresh tokens",
)
.because(Reason::RefreshTokensOff);
const CROWDED: Refusal = Refusal::new(
    Code::InvalidGrant,
    "the refresh token was used many times at once",
)
.because(Reason::RefreshTokenCrowded);
const GUESSED: Refusal = Refusal::new(
    Code::TemporarilyUnavailable,
    "too many wrong secrets for this client from this address: try again in a minute",
)
.because(Reason::TooManyWrongSecrets);
const ALREADY_USED: Refusal =
    Refusal::new(Code::InvalidGrant, "the code was used before").because(Reason::CodeUsed);

const IN_QUERY: Refusal = Refusal::new(
    Code::InvalidRequest,
    "parameters belong in the body, not in the query",
)
.because(Reason::ParametersInQuery);
const REPEATED: Refusal = Refusal::new(Code::InvalidRequest, "a parameter was sent more than once")
    .because(Reason::ParameterRepeated);

/// RFC 6749 §3.2: a form, each parameter once (but `resource`), and nothing in the query.
pub fn form(request: &Request) -> Result<Parameters, Refusal> {
    if request.has_query() {
        return Err(IN_QUERY);
    }
    let form = request.form(PARAMETER_LIMIT)?;
    match form.has_repetition() {
        true => Err(REPEATED),
        false => Ok(form),
    }
}

/// RFC 6749 §2.3: the client that sent a form, authenticated.
pub async fn client(
    provider: &Provider,
    request: &Request,
    form: &Parameters,
) -> Result<Client, Error> {
    let credentials = Credentials::read(Sent {
        authorization: request.authorization()?,
        client_id: form.first("client_id"),
        client_secret: form.first("client_secret"),
        client_assertion_type: form.first("client_assertion_type"),
        client_assertion: form.first("client_assertion"),
        certificate: request.certificate.as_ref(),
    })?;
    let now = provider.clock.now();
    let is_limited = provider.config.limits.is_some() && credentials.is_guess();
    let (id, ip, guesses) = (&credentials.client_id, request.ip, &provider.guesses);
    if is_limited && !guesses.admit(id, ip, now) {
        provider.metrics.limited("client_secret");
        return Err(GUESSED.into());
    }
    let mut client = provider
        .store
        .client(credentials.client_id.as_str(), provider.clock.now())
        .await?;
    if let Some(client) = &mut client
        && client.metadata.token_endpoint_auth.has_keys()
    {
        let fit = |keys: &Jwks| credentials.fit(keys, now);
        provider.give_published_keys(client, &fit).await;
    }
    // A client that is not there takes another time than a wrong secret. That tells nobody anything: which names
    // there are, the authorization endpoint says to whoever asks (RFC 6749 §2.2: no secret). Secrets are compared in
    // constant time, all of them.
    let may_have = |client: &Client| client.metadata.token_endpoint_auth.has_secret();
    let secrets = match client.as_ref().is_some_and(may_have) {
        true => provider.store.client_secrets(id, now).await?,
        false => Vec::new(),
    };
    let mtls = provider.config.mtls.as_ref();
    let measure = Measure {
        secrets: &secrets,
        audience: &discovery::assertion_audience(&provider.config.issuer.url, mtls),
        authorities: mtls.map_or(&[], |mtls| &mtls.authorities),
        now,
    };
    // What somebody typed as a name may be a secret, or a person's number.
    let known = client.as_ref().map(|client| client.client_id.clone());
    let refused = |mistake: Mistake| {
        let client = known.as_ref().map_or("unknown", ClientId::as_str);
        tracing::info!(%client, %mistake, "a client did not authenticate");
        if is_limited {
            guesses.failed(id, ip, now);
        }
        Refusal::from(mistake)
    };
    let (client, once) = authenticate(&credentials, client, measure).map_err(refused)?;
    if let Some(once) = once {
        let kind = SignedKind::ClientAssertion;
        if !provider
            .store
            .spend(kind, client.client_id.as_str(), &once)
            .await?
        {
            return Err(refused(Mistake::Replayed).into());
        }
    }
    Ok(client)
}

async fn exchange(provider: &Provider, asked: TokenRequest<'_>) -> Result<Answer, Error> {
    let TokenRequest {
        client,
        form,
        proof,
        ..
    } = asked;
    let now = provider.clock.now();
    let shown = form.first("code").ok_or(
        Refusal::new(Code::InvalidRequest, "code is missing").because(Reason::CodeMissing),
    )?;
    // What is no code of ours by its shape is looked up all the same, as one that is unknown.
    let digest = Secret::<secret::Code>::parse(shown).map_or(Digest::of(""), |code| code.digest());
    let redemption = Redemption {
        redirect_uri: form.first("redirect_uri"),
        code_verifier: form.first("code_verifier"),
        proof,
    };
    let mut unspent = proof;
    // Given out here a moment ago, and good: then it need not be read. Anything else is judged by what is stored.
    if let Some(fresh) = provider.fresh_codes.take(digest, &client.client_id)
        && let Ok(grant) = code::exchange(Some(&fresh), redemption, now)
    {
        traces::about_txn(grant.txn);
        let grant = grant.for_client(client);
        let tokens = tokens_for(provider, asked, &grant, &mut unspent, now).await?;
        let (store, id) = (&provider.store, &client.client_id);
        if store.exchange_fresh_code(digest, id, &tokens, now).await? {
            return handed_out(provider, client, &grant, &tokens, BY_CODE).await;
        }
    }
    let record = provider.store.code(digest, &client.client_id).await?;
    if let Some(record) = &record {
        traces::about_txn(record.grant.txn);
    }
    let grant = match code::exchange(record.as_ref(), redemption, now) {
        // What its client was entitled to a minute ago, it may not be any more.
        Ok(grant) => grant.for_client(client),
        Err(rejected) => {
            // Whoever sends a request that was overheard again has no key, and costs nobody a grant.
            if record.is_some() {
                dpop::spend(provider, unspent.take()).await?;
            }
            match (rejected.consequence, &record) {
                (Consequence::BurnCode, _) => {
                    provider
                        .store
                        .burn_code(digest, &client.client_id, now)
                        .await?;
                }
                (Consequence::EndGrant, Some(record)) => {
                    tracing::warn!(grant = %record.grant.id, "a code was used twice");
                    provider.metrics.reused("code");
                    provider.store.end_grant(record.grant.id, now).await?;
                }
                _ => {}
            }
            return Err(rejected.refusal.into());
        }
    };
    let tokens = tokens_for(provider, asked, &grant, &mut unspent, now).await?;
    let won = provider
        .store
        .exchange_code(digest, grant.id, &client.client_id, &tokens, now)
        .await?;
    match won {
        Exchange::Won => handed_out(provider, client, &grant, &tokens, BY_CODE).await,
        Exchange::Lost => {
            tracing::warn!(grant = %grant.id, "a code was used twice");
            provider.metrics.reused("code");
            Err(ALREADY_USED.into())
        }
    }
}

const BY_CODE: GrantType = GrantType::AuthorizationCode;

/// The tokens for a code. What proves the client's key is spent for them, once.
async fn tokens_for(
    provider: &Provider,
    asked: TokenRequest<'_>,
    grant: &Grant,
    unspent: &mut Option<&Proof>,
    now: Timestamp,
) -> Result<Tokens, Error> {
    let (client, form) = (asked.client, asked.form);
    let resources = grant.resources.narrowed(form, client, issuer(provider))?;
    dpop::spend(provider, unspent.take()).await?;
    let tokens = grant.issue(client, asked.binding, resources, &provider.random, now);
    in_form(provider, client, Some(grant), tokens).await
}

/// How often a request that lost a race looks at what became of its token: after the first use and
/// the one more try there is nothing left to win.
const LOOKS: usize = 3;

/// RFC 6749 §6, OpenID Connect Core §12.
async fn refreshed(provider: &Provider, asked: TokenRequest<'_>) -> Result<Answer, Error> {
    let TokenRequest {
        client,
        form,
        proof,
        binding,
        at,
    } = asked;
    client.metadata.refresh_lifetime().ok_or(NO_REFRESH)?;
    let shown = form.first("refresh_token").ok_or(
        Refusal::new(Code::InvalidRequest, "refresh_token is missing")
            .because(Reason::RefreshTokenMissing),
    )?;
    let token = Secret::<secret::RefreshToken>::parse(shown).ok_or(refresh::UNKNOWN)?;
    let (store, shown) = (&provider.store, token.digest());
    let mut unspent = proof;
    for _ in 0..LOOKS {
        let record = store.refresh_token(shown, &client.client_id).await?;
        let record = record.ok_or(refresh::UNKNOWN)?;
        let grant = &record.grant;
        // A thief without the key cannot even end the grant by showing it, with a proof that was
        // overheard neither.
        is_bound(record.key.as_ref(), proof)?;
        let turn = match refresh::turn(&record, client, at) {
            Ok(turn) => turn,
            Err(rejected) => {
                if rejected.ends_grant {
                    dpop::spend(provider, unspent.take()).await?;
                    tracing::warn!(grant = %grant.id, "a refresh token is in two hands");
                    provider.metrics.reused("refresh_token");
                    store.end_grant(grant.id, provider.clock.now()).await?;
                }
                return Err(rejected.refusal.into());
            }
        };
        let narrow = refresh::narrow(grant, form.first("scope"))?.for_client(client);
        let resources = grant.resources.narrowed(form, client, issuer(provider))?;
        dpop::spend(provider, unspent.take()).await?;
        let tokens = Tokens {
            scope: narrow.scope.clone(),
            ..grant.issue(client, binding, resources, &provider.random, at)
        };
        let tokens = match turn {
            Turn::Kept => tokens.keeping(),
            Turn::First | Turn::Again => tokens,
        };
        let tokens = in_form(provider, client, Some(grant), tokens).await?;
        let rotation = Rotation {
            shown,
            client_id: &client.client_id,
            grant: grant.id,
            turn,
        };
        if store.rotate_refresh_token(&rotation, &tokens, at).await? {
            // OpenID Connect Core §12.2: the nonce was the login's, not this answer's.
            let again = Grant {
                nonce: None,
                ..narrow
            };
            let by = GrantType::RefreshToken;
            return handed_out(provider, client, &again, &tokens, by).await;
        }
    }
    Err(CROWDED.into())
}

/// RFC 6749 §4.4.2.
async fn given(provider: &Provider, asked: TokenRequest<'_>) -> Result<Answer, Error> {
    let TokenRequest {
        client,
        form,
        proof,
        binding,
        at,
    } = asked;
    let scope = client_credentials::scope(client, form.first("scope"))?;
    let resources = Resources::read(form, client, issuer(provider))?;
    dpop::spend(provider, proof).await?;
    let tokens =
        client_credentials::issue(binding.cloned(), scope, resources, &provider.random, at);
    let tokens = in_form(provider, client, None, tokens).await?;
    let store = &provider.store;
    store.keep_client_token(&client.client_id, &tokens).await?;
    let by = GrantType::ClientCredentials;
    provider.metrics.tokens_issued(by, &tokens);
    Ok(Answer::json(&access(&tokens)))
}

fn issuer(provider: &Provider) -> &str {
    &provider.config.issuer.url
}

/// The access token as its client is registered to get it.
async fn in_form(
    provider: &Provider,
    client: &Client,
    grant: Option<&Grant>,
    tokens: Tokens,
) -> Result<Tokens, Error> {
    if client.metadata.access_token == AccessTokens::Opaque {
        return Ok(tokens);
    }
    let made = access_token::Made {
        issuer: issuer(provider),
        acr: &provider.policy.acr,
        jti: Id::fresh(&provider.random),
        at: provider.clock.now(),
    };
    let claims = access_token::claims(&tokens, &client.client_id, grant, made);
    let keys = provider.keyring.current().await?;
    let key = keys.signer(client.metadata.id_token_algorithm())?;
    Ok(Tokens {
        access: Secret::signed(key.sign(access_token::TYP, &claims)?),
        access_kid: Some(key.kid.clone()),
        ..tokens
    })
}

/// OpenID Connect Core §3.1.3.3, §12.2.
async fn handed_out(
    provider: &Provider,
    client: &Client,
    grant: &Grant,
    tokens: &Tokens,
    by: GrantType,
) -> Result<Answer, Error> {
    let (issuer, acr) = (issuer(provider), &provider.policy.acr);
    let algorithm = client.metadata.id_token_algorithm();
    let at_hash = id_token::half_hash(algorithm, tokens.access.expose());
    let claims = id_token::claims(
        grant,
        &client.metadata.claims,
        issuer,
        acr,
        at_hash,
        provider.clock.now(),
    );
    let keys = provider.keyring.current().await?;
    let mut answer = access(tokens);
    answer["id_token"] = keys.sign(algorithm, "JWT", &claims)?.into();
    if let Some((refresh_token, _)) = &tokens.refresh {
        answer["refresh_token"] = refresh_token.expose().into();
    }
    if client.metadata.claims.knows_sessions_by_session_state() {
        answer["session_state"] = grant.session.to_string().into();
    }
    provider.metrics.tokens_issued(by, tokens);
    Ok(Answer::json(&answer))
}

/// RFC 6749 §5.1.
fn access(tokens: &Tokens) -> Value {
    let mut answer = json!({
        "access_token": tokens.access.expose(),
        "token_type": token_type(tokens.access_binding.as_ref()),
        "expires_in": ACCESS_TOKEN_LIFETIME.0,
    });
    if !tokens.scope.is_empty() {
        answer["scope"] = tokens.scope.as_str().into();
    }
    answer
}
