//! Clients written out as files, and read again, here and elsewhere.

use portvakt::shows;
use portvakt::testing::Signer;
use serde_json::{Value, json};

use crate::client_files::{File, events};
use crate::client_shell::{CALLBACK, MACHINE, exchange, log_in, secret, show, status};
use crate::support::doors::ran;
use crate::support::{App, Database, SECRET, on_both};
use crate::token::claims;

/// Everything that a client can be set to at once, nothing as it would be anyway.
fn maximal(key: &Value) -> Value {
    json!({
        "client_name": "Kommunen \"ett\"\n".trim(),
        "redirect_uris": ["https://files.example/cb", "https://files.example/cb?a=1"],
        "web_origins": ["https://files.example"],
        "post_logout_redirect_uris": ["https://files.example/out"],
        "backchannel_logout_uri": "https://files.example/ended",
        "backchannel_logout_session_required": true,
        "frontchannel_logout_uri": "https://files.example/frame",
        "frontchannel_logout_session_required": true,
        "pkce": "accepted",
        "require_pushed_authorization_requests": true,
        "jwks": {"keys": [key], "note": "a \"b\"\n"},
        "request_object_signing_alg": "PS256",
        "purpose": {"sv": "Så att vi vet vem du är", "en": "So that we know who you are"},
        "personal_number": {"purpose": "Journalföring enligt lag", "expires_at": 2_000_000_000},
        "subject_type": "public",
        "profile_in_id_token": false,
        "refresh_tokens": {"lifetime_days": 30},
        "dpop_bound_access_tokens": true,
        "access_token": "jwt",
        "resources": ["https://api.example", "urn:b"],
        "client_credentials": {"scopes": ["orders:read", "orders:write"]},
        "introspects": true,
        "serves": ["urn:a"],
        "default_max_age": 3600,
        "id_token_signed_response_alg": "ES256",
        "userinfo_signed_response_alg": "EdDSA",
        "response_modes": ["query.jwt", "form_post.jwt"],
        "authorization_signed_response_alg": "PS256",
        "introspection_signed_response_alg": "PS256",
        "bankid": {
            "profile": "tax",
            "pin_code": true,
            "kinds": ["card"],
            "card_reader": "class2",
            "risk": {"moderate": "require_pin", "high": "require_pin", "unknown": "deny"},
            "return": "cookie_or_same_address",
            "devices": "this_only",
        },
    })
}

on_both!(
    what_is_written_out_is_what_is_registered,
    async |database: Database| {
        let _shows = shows!(accepting "M11", refusing "M11", accepting "PV-FILE-3");
        let app = App::on(database).await;
        let key = Signer::new().jwks()["keys"][0].clone();
        let mut full = maximal(&key);
        full["client_id"] = json!("full");
        full["sector"] = json!("a.sector.example");
        full["client_secret"] = json!(SECRET);
        full["previous_client_secret"] = json!(format!("{SECRET}-before"));
        let small = json!({
            "client_id": "small", "client_name": "S", "token_endpoint_auth": "none",
            "redirect_uris": ["https://small.example/cb"],
        });
        let clients = json!({"client": [full, small]});
        File::new(&app, "all.yaml", &clients.to_string()).apply(&[]);
        let written = ran(&app, &["client", "export", "--source", "clients"]).good();
        assert!(!written.contains(SECRET));
        // Every member is there as it was given.
        let read = show(&app, "full")["metadata"].clone();
        for (name, value) in maximal(&key).as_object().expect("an object") {
            let mut kept = read[name].clone();
            if name == "bankid" {
                let given = value.as_object().expect("an object");
                kept.as_object_mut()
                    .expect("an object")
                    .retain(|name, _| given.contains_key(name));
            }
            assert_eq!(&kept, value, "{name}");
        }
        let before = (show(&app, "full"), show(&app, "small"), events(&app).await);
        assert_eq!(
            File::new(&app, "again.toml", &written).apply(&["--prune"]),
            "0 to change, 2 unchanged.\n"
        );
        assert_eq!(
            (show(&app, "full"), show(&app, "small"), events(&app).await),
            before
        );
        // Read, changed and written: nothing but the change is changed.
        let renamed = written.replace("client_name = \"S\"", "client_name = \"Small\"");
        assert!(
            File::new(&app, "renamed.toml", &renamed)
                .apply(&[])
                .contains("1 to change, 1 unchanged")
        );
        let mut expected = before.1["metadata"].clone();
        expected["client_name"] = json!("Small");
        assert_eq!(show(&app, "small")["metadata"], expected);
        assert_eq!(show(&app, "full"), before.0);
    }
);

on_both!(
    a_client_that_moves_keeps_its_secret_and_its_sector,
    async |database: Database| {
        let _shows = shows!(accepting "PV-FILE-3", refusing "PV-FILE-3");
        let app = App::on(database).await;
        let redirects = format!("redirect_uris=[\"{CALLBACK}\"]");
        let create = [
            "client",
            "create",
            "--client-id",
            "moving",
            "--sector",
            "kommunen",
            "client_name=M",
            &redirects,
            MACHINE,
        ];
        let old = secret(&ran(&app, &create).good());
        let new = secret(&ran(&app, &["client", "secret", "moving"]).good());
        let answer = log_in(&app, "moving", "openid").await;
        let tokens = exchange(&app, "moving", &new, &answer).await.body;
        let subject = claims(&app, &tokens).await["sub"].clone();
        let written = ran(&app, &["client", "export", "--managed-by", "admin"]).good();
        assert!(![&old, &new].iter().any(|secret| written.contains(*secret)));
        // To another installation.
        let there = App::on(Database::sqlite()).await;
        File::new(&there, "moved.toml", &written).apply(&[]);
        for secret in [&old, &new] {
            assert_eq!(status(&there, "moving", secret).await, 200);
        }
        assert_eq!(status(&there, "moving", SECRET).await, 401);
        assert_eq!(show(&there, "moving")["sector"], "kommunen");
        // Subjects are made with a key of the installation: there they are others, for the same person.
        let answer = log_in(&there, "moving", "openid").await;
        let tokens = exchange(&there, "moving", &new, &answer).await.body;
        assert_ne!(claims(&there, &tokens).await["sub"], subject);
        // Within this installation a client that the file has now knows its people as before.
        File::new(&app, "taken.toml", &written).apply(&["--take-over"]);
        let answer = log_in(&app, "moving", "openid").await;
        let tokens = exchange(&app, "moving", &old, &answer).await.body;
        assert_eq!(claims(&app, &tokens).await["sub"], subject);
        // A digest is one, and not beside the secret.
        for (digest, why) in [
            ("sha256:00", "sha256: and 64 hexadecimal digits"),
            ("md5:00", "sha256: and 64 hexadecimal digits"),
        ] {
            let text = format!(
                "[[client]]\nclient_id = \"d\"\nclient_name = \"D\"\nclient_secret_digest = \"{digest}\"\nredirect_uris = [\"https://d.example/cb\"]\n"
            );
            let told = File::new(&app, "digest.toml", &text).run("plan", &[]).bad();
            assert!(told.contains(why), "{told}");
        }
        let both = written.replace(
            "client_secret_digest",
            &format!("client_secret = \"{SECRET}\"\nclient_secret_digest"),
        );
        let told = File::new(&app, "both.toml", &both)
            .run("plan", &["--take-over"])
            .bad();
        assert!(
            told.contains("exclude each other") || told.contains("uplicate"),
            "{told}"
        );
    }
);
