"""python flask_application.py SETTINGS: a Flask application on Authlib.

SETTINGS is a file with what the provider's preset for other applications shows, and all that the application
knows of the provider. TLS_CERTIFICATE and TLS_KEY are its own.
"""

import json
import os
import secrets
import sys
from urllib.parse import urlencode, urlsplit

from authlib.integrations.flask_client import OAuth
from flask import Flask, redirect, render_template_string, session

with open(sys.argv[1], encoding="utf-8") as file:
    settings = json.load(file)

app = Flask(__name__)
app.secret_key = secrets.token_bytes(32)
app.config.update(SESSION_COOKIE_SECURE=True, SESSION_COOKIE_SAMESITE="Lax")
bankid = OAuth(app).register(
    "bankid",
    server_metadata_url=settings["discovery"],
    client_id=settings["client_id"],
    client_secret=settings["client_secret"],
    client_kwargs={
        "scope": settings["scope"],
        "code_challenge_method": settings["code_challenge_method"],
        "token_endpoint_auth_method": settings["token_endpoint_auth_method"],
    },
)
callback = urlsplit(settings["redirect_uri"])
home = urlsplit(settings["post_logout_redirect_uri"])

PAGE = """<!doctype html><title>Flask</title>
{% if person %}<p id="person">{{ person }}</p><a id="log-out" href="/logout">Log out</a>
{% else %}<a id="log-in" href="/login">Log in</a>{% endif %}"""


@app.get(home.path)
def show():
    claims = session.get("claims")
    return render_template_string(PAGE, person=json.dumps(claims, ensure_ascii=False) if claims else None)


@app.get("/login")
def log_in():
    return bankid.authorize_redirect(settings["redirect_uri"])


@app.get(callback.path)
def answered():
    token = bankid.authorize_access_token()
    session.clear()
    session["claims"] = {**token["userinfo"], **bankid.userinfo(token=token)}
    session["id_token"] = token["id_token"]
    return redirect(home.geturl())


@app.get("/logout")
def log_out():
    asked = urlencode({"id_token_hint": session.pop("id_token", ""), "post_logout_redirect_uri": home.geturl()})
    session.clear()
    return redirect(f"{settings['end_session_endpoint']}?{asked}")


app.run("127.0.0.1", callback.port, ssl_context=(os.environ["TLS_CERTIFICATE"], os.environ["TLS_KEY"]))
