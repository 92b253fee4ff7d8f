"""A relying party that is made with somebody else's library: the package Authlib.

It is called with its settings, and writes a line of JSON whenever it needs something: `keys` to have
its public keys registered, `open` to have a browser go to an address and be told in a line where that
ended. What it saw is its last line.
State, nonce, PKCE and ID tokens are the library's own doing, as in an application for Starlette; the
first thing that the library does not like ends it with a failure.
"""

import asyncio
import json
import sys
from urllib.parse import urlsplit

from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.integrations.starlette_client import OAuth, OAuthError
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from joserfc.jwk import ECKey
from starlette.requests import Request


class Wrong(Exception):
    """Something is not as it should be."""


def check(holds, otherwise):
    # Not `assert`, which python -O leaves out.
    if not holds:
        raise Wrong(otherwise)


def say(message):
    print(json.dumps(message), flush=True)


def ask(message):
    say(message)
    line = sys.stdin.readline()
    check(line, f"nobody answers: {list(message)}")
    return line.strip()


def registered_key():
    """A key of its own, whose public half is registered."""
    key = ECKey.generate_key("P-256", {"kid": "its-own", "use": "sig", "alg": "ES256"})
    ask({"keys": {"keys": [key.as_dict(private=False)]}})
    return key


def request(session, url):
    """What a browser asks of the application, with the session that its cookie stands for."""
    parts = urlsplit(url)
    return Request(
        {
            "type": "http",
            "method": "GET",
            "path": parts.path,
            "query_string": parts.query.encode(),
            "headers": [],
            "session": session,
        }
    )


class Application:
    def __init__(self, settings):
        self.settings = settings
        # Of one browser.
        self.session = {}
        self.updates = []
        self.method = settings["authentication"]
        by_key = self.method == "private_key_jwt"
        self.credentials = {
            "client_id": settings["client_id"],
            "client_secret": registered_key() if by_key else settings["client_secret"],
        }
        self.by_key = PrivateKeyJWT(headers={"kid": "its-own"}, alg="ES256")
        oauth = OAuth()
        self.client = oauth.register(
            "portvakt",
            server_metadata_url=settings["issuer"] + "/.well-known/openid-configuration",
            client_kwargs={
                "scope": "openid profile offline_access",
                "code_challenge_method": "S256",
                "token_endpoint_auth_method": self.method,
            },
            client_auth_methods=[self.by_key],
            update_token=self.update,
            **self.credentials,
        )

    async def update(self, token, refresh_token=None, access_token=None):
        self.updates.append(dict(token))

    async def log_in(self):
        begun = request(self.session, "/login")
        answer = await self.client.authorize_redirect(begun, self.settings["redirect_uri"])
        callback = request(self.session, ask({"open": answer.headers["location"]}))
        # The library leaves this one to the application.
        issuer = callback.query_params.get("iss")
        check(issuer == self.settings["issuer"], f"an answer of {issuer}")
        return await self.client.authorize_access_token(callback)

    async def userinfo(self, token):
        return await self.client.get(self.metadata["userinfo_endpoint"], token=token)

    async def refreshed(self, token):
        """What the library keeps when it finds that the access token is too old to be used."""
        old = {**token, "expires_at": 1}
        (await self.userinfo(old)).raise_for_status()
        (update,) = self.updates
        return update

    async def log_out(self, id_token):
        begun = request(self.session, "/logout")
        answer = await self.client.logout_redirect(
            begun, self.settings["post_logout_redirect_uri"], id_token_hint=id_token
        )
        back = request(self.session, ask({"open": answer.headers["location"]}))
        await self.client.validate_logout_response(back)

    async def run(self):
        self.metadata = await self.client.load_server_metadata()
        # The person will not, and then does.
        try:
            await self.log_in()
            raise Wrong("this was not refused")
        except OAuthError as error:
            declined = error.error
        tokens = await self.log_in()
        claims = tokens.pop("userinfo")
        userinfo = await self.client.userinfo(token=tokens)
        refreshed = await self.refreshed(tokens)
        # A nonce that nobody sent this time is not looked for.
        refreshed_claims = await self.client.parse_id_token(refreshed, nonce=None)
        access_token, refresh_token = refreshed["access_token"], refreshed["refresh_token"]

        async with AsyncOAuth2Client(
            **self.credentials,
            token_endpoint_auth_method=self.method,
            revocation_endpoint_auth_method=self.method,
        ) as client:
            client.register_client_auth_method(self.by_key)

            async def introspect():
                endpoint = self.metadata["introspection_endpoint"]
                answer = await client.introspect_token(endpoint, access_token, "access_token")
                answer.raise_for_status()
                return answer.json()

            async def revoke(token, hint):
                endpoint = self.metadata["revocation_endpoint"]
                (await client.revoke_token(endpoint, token, hint)).raise_for_status()

            introspected = await introspect()
            await revoke(access_token, "access_token")
            revoked = await introspect()
            refused = await self.userinfo(refreshed)
            await revoke(refresh_token, "refresh_token")
            try:
                await client.refresh_token(self.metadata["token_endpoint"], refresh_token)
                raise Wrong("this was not refused")
            except OAuthError as error:
                spent = error.error
        await self.log_out(refreshed["id_token"])
        say(
            {
                "saw": {
                    "declined": declined,
                    "tokens": tokens,
                    "claims": claims,
                    "userinfo": userinfo,
                    "refreshed": refreshed,
                    "refreshed_claims": refreshed_claims,
                    "introspected": introspected,
                    "revoked": revoked,
                    "challenges": [[refused.status_code, refused.headers["www-authenticate"]]],
                    "spent": spent,
                }
            }
        )


if __name__ == "__main__":
    asyncio.run(Application(json.loads(sys.argv[1])).run())
