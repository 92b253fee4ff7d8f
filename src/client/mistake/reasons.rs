//! Every mistake that we know by name, in the order of a login: its stable name, what happened, the
//! difference where one can be told, and what to do. `{registered}`, `{received}`, `{names}` and
//! `{seconds}` stand for what was seen; a difference of which a part was not seen is left out.

macro_rules! reasons {
    ($($reason:ident $name:literal: $what:literal, $difference:literal, $remedy:literal;)+) => {
        /// An exact mistake of a client.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason { $(#[doc = $what] $reason),+ }

        impl Reason {
            /// All of them.
            pub const ALL: &'static [Reason] = &[$(Reason::$reason),+];

            /// The name that rows and programs know it by. It stays.
            pub fn as_str(self) -> &'static str {
                match self { $(Reason::$reason => $name),+ }
            }

            pub(super) fn words(self) -> Words {
                match self {
                    $(Reason::$reason => Words { what: $what, difference: $difference, remedy: $remedy }),+
                }
            }
        }
    };
}

/// What there is to say of a mistake.
pub(super) struct Words {
    pub what: &'static str,
    pub difference: &'static str,
    pub remedy: &'static str,
}

reasons! {
    // Who asks.
    ClientIdMissing "client_id_missing": "The request names no client.", "",
        "Send client_id.";
    ClientIdRepeated "client_id_repeated": "client_id was sent more than once.", "",
        "Send client_id once. A library may add it to an address that has it already.";
    ClientIdUnknown "client_id_unknown": "No client has this client_id.",
        "received {received}",
        "Copy the client_id from the client's page, and look whether the application talks to the right installation.";
    ClientIdMisspelt "client_id_misspelt": "No client has this client_id, but one has a very similar one.",
        "registered {registered}, received {received}",
        "Correct the client_id in the application. Upper and lower case are told apart.";
    ClientIdIsSecret "client_id_is_secret": "What was sent as client_id is the secret of a client.", "",
        "Exchange the two values in the application, and give the client another secret: this one was in addresses and logs.";

    // Where the answer goes.
    RedirectUriMissing "redirect_uri_missing": "The request has no redirect_uri.",
        "registered {registered}",
        "Send one of the registered addresses as redirect_uri. It is needed even where only one is registered.";
    RedirectUriRepeated "redirect_uri_repeated": "redirect_uri was sent more than once.", "",
        "Send redirect_uri once.";
    RedirectUriUnregistered "redirect_uri_unregistered": "The redirect_uri is not registered for this client.",
        "the nearest that is registered is {registered}, received {received}",
        "Register the address, or correct it in the application. It is compared character by character.";
    RedirectUriNoneRegistered "redirect_uri_none_registered": "The client has no redirect URI at all: nobody can log in to it.",
        "received {received}",
        "Register the address, if people are to log in to this client.";
    RedirectUriSlash "redirect_uri_slash": "The redirect_uri differs only in the slash at its end.",
        "differs only in the trailing slash: registered {registered}, received {received}",
        "Add or remove the slash on one side. Addresses are compared character by character.";
    RedirectUriCase "redirect_uri_case": "The redirect_uri differs only in upper and lower case of its path.",
        "differs only in the case of the path: registered {registered}, received {received}",
        "Write the path the same on both sides.";
    RedirectUriScheme "redirect_uri_scheme": "The redirect_uri differs only in its scheme.",
        "differs only in http or https: registered {registered}, received {received}",
        "An application behind a proxy that ends TLS often believes that it is called by http: let it trust X-Forwarded-Proto, or configure its public address.";
    RedirectUriPort "redirect_uri_port": "The redirect_uri differs only in its port.",
        "differs only in the port: registered {registered}, received {received}",
        "Configure the application's public address, or register this port. Only loopback IP addresses may have any port.";
    RedirectUriWww "redirect_uri_www": "The redirect_uri differs only in www.",
        "differs only in www: registered {registered}, received {received}",
        "Register both addresses, or let the site redirect to one of them before the login.";
    RedirectUriHost "redirect_uri_host": "The redirect_uri differs only in its host.",
        "differs only in the host: registered {registered}, received {received}",
        "Register the host, or configure the application's public address. Test and production often get mixed up here.";
    RedirectUriPath "redirect_uri_path": "The redirect_uri differs only in its path.",
        "differs only in the path: registered {registered}, received {received}",
        "Look the callback path of the application's library up, and register that.";
    RedirectUriEscaping "redirect_uri_escaping": "The redirect_uri differs only in percent-encoding.",
        "differs only in percent-encoding: registered {registered}, received {received}",
        "Encode the address once when it is put into the request, not twice, and write it the same on both sides.";
    RedirectUriQuery "redirect_uri_query": "The redirect_uri differs only in its query.",
        "differs only in the parameters {names}: registered {registered}, received {received}",
        "Keep what must survive the login in state or in a cookie, not in the redirect_uri.";
    RedirectUriFragment "redirect_uri_fragment": "The redirect_uri has a fragment.",
        "differs only in the part behind #: registered {registered}, received {received}",
        "Leave the fragment out. Single-page applications with # in their addresses need a callback without it.";
    RedirectUriSpelling "redirect_uri_spelling": "The redirect_uri means the registered address, but is written differently.",
        "the same address in another spelling: registered {registered}, received {received}",
        "Write it the same on both sides: no default port, the host in lower case, no dots in the path.";
    RedirectUriRelative "redirect_uri_relative": "The redirect_uri is no absolute address.",
        "registered {registered}",
        "Send the whole address, with its scheme and host.";
    RedirectUriForLogout "redirect_uri_for_logout": "The redirect_uri is registered, but only for logouts.",
        "registered as post_logout_redirect_uri: {received}",
        "Register it as a redirect URI, too, or correct the application.";
    ResponseModeUnsupported "response_mode_unsupported": "This response_mode does not exist here, or cannot lead to this address.",
        "received {received}",
        "Use query, fragment, form_post or their signed forms, or leave response_mode out.";
    ResponseModeUnregistered "response_mode_unregistered": "The client is not registered for this response_mode.",
        "registered {registered}, received {received}",
        "Use a registered response_mode, or register this one.";

    // What is asked.
    ParametersUnreadable "parameters_unreadable": "The parameters cannot be read: not form-encoded UTF-8, too long, or with control characters.", "",
        "Let a library build the address, and keep state and claims short.";
    ParameterRepeated "parameter_repeated": "A parameter was sent more than once.",
        "sent more than once: {names}",
        "Send each parameter once. Extra parameters of a library's configuration are often added to its own.";
    ResponseTypeMissing "response_type_missing": "response_type is missing.", "",
        "Send response_type=code.";
    ResponseTypeUnsupported "response_type_unsupported": "This response_type is not supported.",
        "supported code, received {received}",
        "Use the authorization code flow: response_type=code, with PKCE. The implicit and hybrid flows are not offered.";
    OpenidMissing "openid_missing": "The scope does not contain openid.",
        "received {received}",
        "Add openid to the scope.";
    PersonalNumberNotEntitled "personal_number_not_entitled": "The client is not entitled to personal numbers.",
        "received {received}",
        "Remove personal_number from the scope, or let an administrator entitle the client to it.";
    ResourceNotAllowed "resource_not_allowed": "The request asks for an access token for a service that the client may not have one for.",
        "registered {registered}, received {received}",
        "Register the resource for the client, or ask for a registered one.";
    PkceMissing "pkce_missing": "The request has no code_challenge, and the client must use PKCE.", "",
        "Switch PKCE on in the application, with S256. If its library knows none, register the client with pkce = accepted, where it has a secret.";
    PkceMethod "pkce_method": "The code_challenge_method is not S256.",
        "supported S256, received {received}",
        "Use S256. Without code_challenge_method a challenge counts as plain, which protects nothing.";
    ChallengeMalformed "challenge_malformed": "The code_challenge is not base64url of a SHA-256 digest.",
        "43 characters are needed, received {received}",
        "Encode the digest of the verifier as base64url without padding.";
    PromptNoneAndMore "prompt_none_combined": "prompt=none was combined with other values.",
        "received {received}",
        "Send none alone, or leave it out.";
    MaxAgeMalformed "max_age_malformed": "max_age is no whole number of seconds.", "",
        "Send a number such as 300.";
    ClaimsInvalid "claims_invalid": "The claims parameter is not valid JSON of a claims request, or asks for a person that this client may not ask for.", "",
        "Compare it with OpenID Connect Core 5.5. Only a client that is entitled to personal numbers may ask for one by value.";
    AcrUnmet "acr_unmet": "The request insists on an authentication context class that a login here does not have.", "",
        "Ask for the acr that discovery names, or do not mark it as essential.";
    IdTokenHintForeign "id_token_hint_foreign": "id_token_hint is not an ID token that this provider made for this client, or its key is gone.", "",
        "Send the ID token of the same client and installation, or leave the hint out.";
    NonceTooLong "nonce_too_long": "The nonce is too long.",
        "at most 512 characters, received {received}",
        "Send a random value of 16 to 64 characters.";
    DpopJktMalformed "dpop_jkt_malformed": "dpop_jkt is no thumbprint of a key.", "",
        "Send the SHA-256 thumbprint of the public key (RFC 7638) in base64url.";
    RegistrationUnsupported "registration_unsupported": "The parameter registration is not supported.", "",
        "Register the client beforehand.";
    LoginRequired "login_required": "prompt=none was sent, and nobody is logged in. This is normal and no mistake: it is how an application finds out.", "",
        "Start a login without prompt=none when the application gets login_required.";
    ConsentRequired "consent_required": "prompt=none was sent, and the person has not yet seen all that is asked for. This is normal.", "",
        "Start a login without prompt=none once. Asking for more scope than before leads to this, too.";

    // Pushed and signed requests.
    NotPushed "not_pushed": "The client must push its requests beforehand (RFC 9126), and this one was not.", "",
        "Send the parameters to /par first, or register the client without that requirement.";
    RequestUriPushed "request_uri_pushed": "A pushed request holds a request_uri itself.", "",
        "Push the parameters themselves.";
    PushedRequestUnknown "pushed_request_unknown": "The request_uri is unknown, or was answered before.", "",
        "Push a new request for each login. The back button and a reload after the login lead here, too.";
    PushedRequestExpired "pushed_request_expired": "The request_uri is too old.",
        "it ended {seconds} seconds before it was brought",
        "Send the browser here right after the request was pushed.";
    PushedRequestOfOther "pushed_request_of_other_client": "The request_uri is another client's.",
        "pushed by {registered}, brought by {received}",
        "Send the client_id that pushed the request.";
    RequestUriUnsupported "request_uri_unsupported": "The request_uri is not one that was pushed here.", "",
        "Requests are not fetched from other addresses: push them to /par, or send them by value.";
    RequestsAmbiguous "requests_ambiguous": "Two requests came at once: request and request_uri, or request_uri twice.", "",
        "Send one of them.";
    NotSigned "not_signed": "The client must sign its requests, and this one was not signed.", "",
        "Send a request object, or register the client without that requirement.";
    RequestObjectUnexpected "request_object_unexpected": "A signed request came, and the client has no keys.", "",
        "Register the client's public keys (jwks or jwks_uri), or send the parameters plainly.";
    RequestObjectUnsigned "request_object_unsigned": "The request object is not signed: its alg is none.", "",
        "Sign it with a registered key.";
    RequestObjectAlgorithm "request_object_algorithm": "The request object is signed by another algorithm than the client may use.",
        "registered {registered}, received {received}",
        "Sign with the registered algorithm, or register this one.";
    RequestObjectKey "request_object_key": "The request object names a key that is not registered.",
        "received kid {received}",
        "Register the public key under this kid. A client that renewed its keys must publish them first.";
    RequestObjectIssuer "request_object_issuer": "The iss of the request object is not the client.",
        "expected {registered}, received {received}",
        "Set iss to the client_id.";
    RequestObjectAudience "request_object_audience": "The aud of the request object is not this provider.",
        "expected {registered}, received {received}",
        "Set aud to the issuer, as discovery writes it.";
    RequestObjectExpired "request_object_expired": "The request object has expired.",
        "it ended {seconds} seconds before it came",
        "Sign each request when it is sent, and look at the clock of the application's server.";
    RequestObjectTimes "request_object_times": "The request object has no exp, begins later, or is good for too long.", "",
        "Set exp to a few minutes from now, and nbf or iat to now. A pushed one needs nbf.";
    RequestObjectUsed "request_object_used": "The request object was used before.", "",
        "Sign a new one, with another jti, for each login.";
    RequestObjectInvalid "request_object_invalid": "The request object does not hold: its signature, its typ or a member of it.", "",
        "Sign it with a registered key, as typ oauth-authz-req+jwt, and give each parameter as a string or number.";
    RequestObjectDiffers "request_object_differs": "client_id or response_type differ within and beside the request object.", "",
        "Send the same values in both places.";

    // Who calls.
    BodyNoForm "body_no_form": "The body is not form-encoded.",
        "expected application/x-www-form-urlencoded, received {received}",
        "Send the parameters as a form. JSON is not taken here.";
    BodyNoJson "body_no_json": "The body is no JSON object, or has a member twice.",
        "expected application/json, received {received}",
        "Send one JSON object, with that content type.";
    BodyUnreadable "body_unreadable": "The form cannot be read.", "",
        "Percent-encode every value as UTF-8, and keep it under 8 KiB.";
    BodyTooLarge "body_too_large": "The request is too large.", "",
        "Keep the request under 20 KiB. Large claims and request objects can be shortened.";
    ParametersInQuery "parameters_in_query": "Parameters were sent in the query instead of the body.",
        "in the query: {names}",
        "Send a POST with a form in its body: what stands in an address ends in logs.";
    AuthorizationRepeated "authorization_repeated": "The header Authorization was sent more than once.", "",
        "Send it once. A proxy may add one of its own.";
    AuthenticationMissing "authentication_missing": "Nothing says which client calls.", "",
        "Send client_id and what the client authenticates by.";
    AuthenticationTwice "authentication_twice": "The client authenticates in two ways at once.",
        "registered {registered}, received {received}",
        "Use one way. Many libraries send the secret both in the header and in the form until told which.";
    BasicMalformed "basic_malformed": "The header Authorization is not valid Basic.", "",
        "Send Basic with base64 of client_id:secret, both form-encoded before.";
    ClientIdDiffers "client_id_differs": "client_id in the form is another one than in the header.",
        "received {received} in the form",
        "Send one client_id.";
    SecretWrong "secret_wrong": "The client secret is wrong.", "",
        "Copy the secret again, or give the client a new one. Characters such as % and + must be form-encoded in the header.";
    SecretPadded "secret_padded": "The client secret is right but for white space around it.", "",
        "Remove the space or the line break from the application's configuration or secret file.";
    SecretExpired "secret_expired": "The client secret was replaced, and its time is over.",
        "it ended {seconds} seconds before the request",
        "Give the application the new secret.";
    SecretInForm "secret_in_form": "The secret came in the form, and the client is registered to send it in the header.",
        "registered {registered}, received {received}",
        "Switch the application to client_secret_basic, or register client_secret_post.";
    SecretInHeader "secret_in_header": "The secret came in the header, and the client is registered to send it in the form.",
        "registered {registered}, received {received}",
        "Switch the application to client_secret_post, or register client_secret_basic.";
    SecretOfPublicClient "secret_of_public_client": "A public client sent a secret.",
        "registered {registered}, received {received}",
        "Remove the secret from the application, or register the client as one that keeps a secret.";
    SecretNotSent "secret_not_sent": "The client has a secret, and sent none.",
        "registered {registered}, received {received}",
        "Configure the secret in the application, or register the client as public (token_endpoint_auth = none) where it cannot keep one.";
    AuthenticationMethod "authentication_method": "The client authenticates in another way than it is registered for.",
        "registered {registered}, received {received}",
        "Use the registered way, or register the other one.";
    TooManyWrongSecrets "too_many_wrong_secrets": "So many wrong secrets came from this address that it must wait a minute.", "",
        "Correct the secret; see the mistakes before this one.";
    AssertionMalformed "assertion_malformed": "The client assertion or its type cannot be read.", "",
        "Send client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer with a signed JWT.";
    AssertionAlgorithm "assertion_algorithm": "The client assertion is signed by another algorithm than the client may use.",
        "registered {registered}, received {received}",
        "Sign with the registered algorithm, or register this one.";
    AssertionKey "assertion_key": "The client assertion names a key that is not registered.",
        "received kid {received}",
        "Register the public key under this kid. A client that renewed its keys must publish them first.";
    AssertionSignature "assertion_signature": "No registered key verifies the client assertion.", "",
        "Compare the application's private key with the registered public keys.";
    AssertionTyp "assertion_typ": "The client assertion is a token of another kind.",
        "received typ {received}",
        "Set typ to client-authentication+jwt or JWT, or leave it out.";
    AssertionSubject "assertion_subject": "iss and sub of the client assertion are not the client.",
        "expected {registered}, received {received}",
        "Set both to the client_id.";
    AssertionAudience "assertion_audience": "The aud of the client assertion is not this provider.",
        "expected {registered}, received {received}",
        "Set aud to the issuer, as discovery writes it.";
    AssertionExpired "assertion_expired": "The client assertion has expired.",
        "it ended {seconds} seconds before it came",
        "Sign a new one for each request, and look at the clock of the application's server.";
    AssertionTimes "assertion_times": "The client assertion has no exp, begins later, or is good for too long.", "",
        "Set exp to a minute from now, and look at the clock of the application's server.";
    AssertionJti "assertion_jti": "The client assertion has no jti.", "",
        "Give each assertion a random jti.";
    AssertionReplayed "assertion_replayed": "The client assertion was used before.", "",
        "Sign a new one for each request, retries included.";
    CertificateMissing "certificate_missing": "The client goes by a certificate, and its connection showed none.", "",
        "Call the endpoints of mtls_endpoint_aliases with the certificate. A proxy in between must hand it on.";
    CertificateOther "certificate_other": "The certificate of the connection is not the client's.",
        "registered {registered}",
        "Compare subject, issuer and dates of the certificate with what is registered.";

    // Tokens.
    GrantTypeMissing "grant_type_missing": "grant_type is missing.", "",
        "Send grant_type=authorization_code with a code.";
    GrantTypeUnsupported "grant_type_unsupported": "This grant_type is not supported.",
        "supported authorization_code, refresh_token and client_credentials, received {received}",
        "Use the authorization code flow. Passwords are never taken here.";
    RefreshTokensOff "refresh_tokens_off": "The client is not registered for refresh tokens.", "",
        "Switch refresh_tokens on for the client, or do not refresh. A public client needs dpop_bound_access_tokens besides.";
    ClientCredentialsOff "client_credentials_off": "The client is not registered for client_credentials.", "",
        "Register client_credentials for a client that authenticates.";
    OwnScopeNotAllowed "own_scope_not_allowed": "The client asks for a scope that it may not have for itself.",
        "registered {registered}, received {received}",
        "Register the scope in client_credentials, or ask for less.";
    CodeMissing "code_missing": "The token request has no code.", "",
        "Send the code that came back from the login.";
    CodeUnknown "code_unknown": "The code is unknown.", "",
        "Send the code exactly as it came, to the same installation. It must be decoded from the address once.";
    CodeOfOtherClient "code_of_other_client": "The code was given to another client.",
        "given to {registered}, sent by {received}",
        "Exchange a code as the client that asked for the login.";
    CodeUsed "code_used": "The code was used before. All tokens that came of it have ended.", "",
        "Exchange a code once. A reload of the callback page and a second worker are the usual reasons.";
    CodeExpired "code_expired": "The code has expired.",
        "it ended {seconds} seconds before it was sent",
        "Exchange the code at once: it is good for a minute.";
    CodeRedirectUriMissing "code_redirect_uri_missing": "The token request has no redirect_uri.", "",
        "Send the redirect_uri of the login again with the code.";
    CodeRedirectUriOther "code_redirect_uri_other": "The token request has another redirect_uri than the login.",
        "received {received}",
        "Send exactly the redirect_uri of the login. Proxies often change it between the two requests.";
    VerifierMissing "verifier_missing": "The login had a code_challenge, and the token request has no code_verifier.", "",
        "Send the code_verifier. It must survive in the person's session until the callback.";
    VerifierUnasked "verifier_unasked": "A code_verifier came, and the login had no code_challenge.", "",
        "Send code_challenge and code_challenge_method=S256 with the login.";
    VerifierMalformed "verifier_malformed": "The code_verifier has the wrong length or characters.",
        "43 to 128 unreserved characters are needed, received {received}",
        "Make the verifier of 32 random bytes in base64url.";
    VerifierWrong "verifier_wrong": "The code_verifier does not fit the code_challenge of the login.", "",
        "Keep one verifier for each login: two tabs must not share one. The challenge is base64url of SHA-256 of the verifier.";
    RefreshTokenMissing "refresh_token_missing": "The token request has no refresh_token.", "",
        "Send the refresh token of the last answer.";
    RefreshTokenUnknown "refresh_token_unknown": "The refresh token is unknown.", "",
        "Send the refresh token exactly as it came, to the same installation. An access token is none.";
    RefreshTokenOfOther "refresh_token_of_other_client": "The refresh token was given to another client.",
        "given to {registered}, sent by {received}",
        "Refresh as the client that the token was given to.";
    RefreshTokenRevoked "refresh_token_revoked": "The refresh token has ended: by a logout, a revocation, or because it was used twice before.", "",
        "Let the person log in again.";
    RefreshTokenUnbound "refresh_token_unbound": "The refresh token is bound to no key, and the client does not authenticate any more.", "",
        "Let the person log in again, with DPoP.";
    RefreshTokenReused "refresh_token_reused": "The refresh token was used before. All tokens that came of the login have ended.", "",
        "Keep the newest refresh token of each answer, in one place that all workers share.";
    RefreshTokenCrowded "refresh_token_crowded": "The refresh token was used many times at once.", "",
        "Let one worker refresh and the others wait for it.";
    RefreshTokenExpired "refresh_token_expired": "The refresh token has expired.", "",
        "Let the person log in again. How long refreshing lasts is registered with the client.";
    ScopeWider "scope_wider": "The refresh asks for more scope than the login gave.",
        "received {received}",
        "Leave scope out, or ask for less.";
    DpopMissing "dpop_missing": "The DPoP proof is missing.", "",
        "Send a proof in the header DPoP with each request, or register the client without bound tokens.";
    DpopMalformed "dpop_malformed": "The DPoP proof is no signed JWT with its public key, typ dpop+jwt and a jti, or came twice.",
        "received typ {received}",
        "Compare the proof with RFC 9449 4.2.";
    DpopAlgorithm "dpop_algorithm": "The DPoP proof is signed by an algorithm that is not taken.",
        "supported ES256, PS256 and EdDSA, received {received}",
        "Use a key for one of these.";
    DpopSignature "dpop_signature": "The signature of the DPoP proof does not fit the key in it.", "",
        "Sign with the private key of the jwk in the header.";
    DpopMethod "dpop_htm": "The htm of the DPoP proof is another method than the request's.",
        "received {received}",
        "Make each proof for its own request.";
    DpopAddress "dpop_htu": "The htu of the DPoP proof is another address than the request's.",
        "expected {registered}, received {received}",
        "Use the address as discovery names it: behind a proxy the application may see another one.";
    DpopTime "dpop_iat": "The iat of the DPoP proof is too old or in the future.",
        "{seconds} seconds from this provider's clock; 60 are allowed",
        "Make each proof when it is sent, and look at the clock of the application's server or device.";
    DpopToken "dpop_ath": "The DPoP proof is for another access token, or says of none.", "",
        "Set ath to base64url of SHA-256 of the access token.";
    DpopReplayed "dpop_replayed": "The DPoP proof was used before.", "",
        "Make a new one, with another jti, for each request, retries included.";
    DpopOtherKey "dpop_other_key": "The DPoP proof is by another key than what it came with is bound to.", "",
        "Keep one key from the login to the last refresh.";
    BindingCertificateMissing "binding_certificate_missing": "The client's tokens are bound to its certificate, and the connection showed none.", "",
        "Call the endpoints of mtls_endpoint_aliases with the certificate.";
    BindingProofUnexpected "binding_proof_unexpected": "A DPoP proof came, and the client's tokens are bound to its certificate.", "",
        "Send no proof, or register the client for DPoP.";

    // What is done with tokens.
    TokenMissing "token_missing": "No token was sent.", "",
        "Send the token: to userinfo in the header Authorization, elsewhere as the parameter token.";
    TokenInQuery "token_in_query": "The access token was sent in the query.", "",
        "Send it in the header Authorization, and let it be revoked: addresses end in logs.";
    TokenTwice "token_twice": "The access token was sent in two places.", "",
        "Send it in the header alone.";
    TokenScheme "token_scheme": "The header Authorization is neither Bearer nor DPoP.", "",
        "Send Authorization: Bearer and the access token.";
    TokenIsIdToken "token_is_id_token": "An ID token was sent to userinfo instead of the access token.", "",
        "Send the access_token of the token answer. The ID token is for the application alone.";
    TokenUnknown "token_unknown": "The access token is unknown here.", "",
        "Send the access token exactly as it came, to the same installation.";
    TokenExpired "token_expired": "The access token has expired.",
        "it ended {seconds} seconds before the request",
        "Refresh the token, or ask userinfo right after the login.";
    TokenRevoked "token_revoked": "The access token was revoked, or its session has ended.", "",
        "Let the person log in again.";
    TokenBinding "token_binding": "The access token is bound, and came without its proof or certificate; or it is not, and came as if it were.", "",
        "Send a bound token by the scheme DPoP with a proof, or over the connection of its certificate; any other as Bearer.";
    TokenForOthers "token_for_others": "The access token is for other services than userinfo.", "",
        "Ask for a token without resource, or read the claims from the ID token.";
    TokenOfNobody "token_of_nobody": "The access token is the client's own: there is no person to tell of.", "",
        "Use the token of a login. Tokens of client_credentials have no userinfo.";
    IntrospectionOfPublic "introspection_of_public_client": "A public client may not introspect tokens.", "",
        "Introspect as a client that authenticates, such as the resource server itself.";
    RevocationUnsupported "revocation_unsupported": "What was sent to be revoked is neither an access token nor a refresh token.", "",
        "Revoke the refresh token. Codes and ID tokens end by themselves.";

    // Logouts.
    LogoutHintForeign "logout_hint_foreign": "id_token_hint is not an ID token of this provider, or its key is gone.", "",
        "Send the ID token of the login as it came.";
    LogoutHintOfOther "logout_hint_of_other_client": "The ID token was made for another client than client_id names.", "",
        "Send the ID token of the same client.";
    LogoutAddressUnproven "logout_address_unproven": "post_logout_redirect_uri came without anything that says whose it is.",
        "received {received}",
        "Send id_token_hint or client_id beside it.";
    LogoutAddressUnregistered "logout_address_unregistered": "The post_logout_redirect_uri is not registered for this client.",
        "{names}: the nearest that is registered is {registered}, received {received}",
        "Register the address for logouts. It is compared character by character, and apart from the redirect URIs.";
    LogoutAddressNoneRegistered "logout_address_none_registered": "The client has no post_logout_redirect_uri at all.",
        "received {received}",
        "Register the address for logouts. Redirect URIs do not count for that.";

    // Registrations.
    RegistrationTokenMissing "registration_token_missing": "No token was sent to the registration.", "",
        "Send the initial access token, or the client's own registration token, as Bearer.";
    RegistrationTokenUnknown "registration_token_unknown": "The token for the registration is unknown, expired, revoked or used up.", "",
        "Let an administrator issue another one with portvakt client token issue.";
    RegistrationRedirectUri "registration_redirect_uri": "A redirect URI cannot be registered.",
        "{received}",
        "Use https, or http on a loopback address for an application on a device.";
    RegistrationMetadata "registration_metadata": "The client cannot be registered so.",
        "{received}",
        "Change the named member.";
}
