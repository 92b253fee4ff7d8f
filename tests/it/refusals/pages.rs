//! What a person reads on a page of ours is found by the reference there, and in a shell.

use std::time::Duration;

use portvakt::id::ClientId;
use portvakt::shows;
use portvakt::testing::{Signer, canary};
use serde_json::Value;

use super::{Looking, app};
use crate::keys::command;
use crate::support::phone::TOLVAN;
use crate::support::{App, Database, SECRET, on_both};
use crate::token::told;

on_both!(
    a_wrong_authorization_request_is_found_by_the_reference_of_its_page,
    async |database: Database| {
        let _shows = shows!(accepting "PV-WHY-1", accepting "PV-WHY-2", refusing "PV-WHY-4");
        let signer = Signer::new();
        let app = app(database, &signer).await;
        let looking = Looking::on(&app);
        for (address, kind) in [
            ("https://app.example/callback/", "redirect_uri_slash"),
            ("https://app.example/Callback", "redirect_uri_case"),
            ("http://app.example/callback", "redirect_uri_scheme"),
            ("https://app.example:8443/callback", "redirect_uri_port"),
            ("https://www.app.example/callback", "redirect_uri_www"),
            ("https://test.example/callback", "redirect_uri_host"),
            ("https://app.example/oidc", "redirect_uri_path"),
            ("https://app.example/%63allback", "redirect_uri_escaping"),
            (
                "https://app.example/callback?b=geheim1",
                "redirect_uri_query",
            ),
            (
                "https://app.example/callback#geheim1",
                "redirect_uri_fragment",
            ),
            ("https://APP.example/callback", "redirect_uri_spelling"),
            ("/callback", "redirect_uri_relative"),
            (
                "https://other.example/x?geheim1=geheim1",
                "redirect_uri_unregistered",
            ),
            (
                "https://app.example/logged-out?a=1",
                "redirect_uri_for_logout",
            ),
        ] {
            let found = looking.asks(&[("redirect_uri", Some(address))], kind).await;
            assert_eq!(found.client_id.as_ref().map(ClientId::as_str), Some("web"));
            let difference = found.explanation.difference.expect("a difference");
            assert!(!difference.contains("geheim1=") && !difference.contains("=geheim1"));
            assert!(!difference.contains("#geheim1"), "{difference}");
        }
        let slash = looking
            .asks(
                &[("redirect_uri", Some("https://app.example/callback/"))],
                "redirect_uri_slash",
            )
            .await;
        let expected = "differs only in the trailing slash: registered https://app.example/callback, received https://app.example/callback/";
        assert_eq!(slash.explanation.difference.as_deref(), Some(expected));
        assert_eq!(
            (slash.code.as_str(), slash.times),
            ("redirect_uri_unregistered", 1)
        );

        let bare = [("client_id", Some("bare"))];
        looking.asks(&bare, "redirect_uri_none_registered").await;
        looking
            .asks(&[("redirect_uri", None)], "redirect_uri_missing")
            .await;
        looking
            .asks(&[("client_id", None)], "client_id_missing")
            .await;
        let found = looking
            .asks(
                &[("client_id", Some("someone-unknown"))],
                "client_id_unknown",
            )
            .await;
        assert_eq!(found.claimed_client_id.as_deref(), Some("someone-unknown"));
        let found = looking
            .asks(&[("client_id", Some("Lenint"))], "client_id_unknown")
            .await;
        assert_eq!(found.client_id, None);
        let found = looking
            .asks(&[("client_id", Some("trustin"))], "client_id_misspelt")
            .await;
        let expected = "registered trusting, received trustin";
        assert_eq!(found.explanation.difference.as_deref(), Some(expected));
        let found = looking
            .asks(&[("client_id", Some(SECRET))], "client_id_is_secret")
            .await;
        assert_eq!(
            (found.claimed_client_id, found.explanation.difference),
            (None, None)
        );
        let found = looking
            .asks(&[("client_id", Some(TOLVAN))], "client_id_unknown")
            .await;
        assert_eq!(found.claimed_client_id.as_deref(), Some("[hidden]"));
        let mode = [("response_mode", Some("web_message"))];
        looking.asks(&mode, "response_mode_unsupported").await;
        let url = app.authorize_url(&[]);
        looking
            .page(&format!("{url}&client_id=b"), "client_id_repeated")
            .await;
        looking
            .page(&format!("{url}&redirect_uri=b"), "redirect_uri_repeated")
            .await;
        looking
            .page(&format!("{url}&state=%ff"), "parameters_unreadable")
            .await;
        let unreturnable = [
            ("client_id", Some("signing")),
            ("redirect_uri", None),
            ("request", Some("x.y.z")),
        ];
        looking.asks(&unreturnable, "request_object_invalid").await;

        // What was pushed, and by whom.
        let push = async || {
            let told = told(looking.web("/par", &App::asked(&[]))).await;
            let name = told.body["request_uri"]
                .as_str()
                .expect("a name")
                .to_owned();
            canary(&name);
            name
        };
        let name = push().await;
        let bring = |client, name| vec![("client_id", Some(client)), ("request_uri", Some(name))];
        let both = [bring("web", &name), vec![("request", Some("x"))]].concat();
        looking
            .page(&app.authorize_url(&both), "requests_ambiguous")
            .await;
        let of_other = app.authorize_url(&bring("strict", &name));
        let found = looking
            .page(&of_other, "pushed_request_of_other_client")
            .await;
        let expected = Some("pushed by web, brought by strict");
        assert_eq!(found.explanation.difference.as_deref(), expected);
        app.clock.advance(Duration::from_secs(541));
        looking
            .page(
                &app.authorize_url(&bring("web", &name)),
                "pushed_request_expired",
            )
            .await;
        let never = format!("urn:ietf:params:oauth:request_uri:pr_{}", "x".repeat(43));
        looking
            .page(
                &app.authorize_url(&bring("web", &never)),
                "pushed_request_unknown",
            )
            .await;

        // By POST, with one more way.
        let form = App::asked(&[("redirect_uri", Some("https://app.example/callback/"))]);
        let authorize = format!("{}/authorize", app.issuer);
        let bounce = looking.browser.post_from_elsewhere(&authorize, &form).await;
        let brought = [("request", bounce.value("request"))];
        let brought = brought
            .each_ref()
            .map(|(name, value)| (*name, value.as_str()));
        let page = format!("{authorize}/continue");
        let found = looking
            .found(&looking.browser.post(&page, &brought).await)
            .await;
        assert_eq!(found.kind, "redirect_uri_slash");

        // In a shell.
        let (fine, said) = command(
            &app,
            "client",
            &["failures", "--reference", &slash.reference],
        );
        assert!(
            fine && said.contains(&slash.explanation.difference.expect("one")),
            "{said}"
        );
        assert!(
            said.contains("web  authorize redirect_uri_unregistered  redirect_uri_slash"),
            "{said}"
        );
        let (fine, said) = command(&app, "client", &["failures", "web"]);
        assert!(fine, "{said}");
        let newest = said.find("pushed_request_unknown").expect("the newest");
        assert!(
            newest < said.find("redirect_uri_case").expect("an older one"),
            "{said}"
        );
        assert!(
            !said.contains("geheim1=") && !said.contains("=geheim1"),
            "{said}"
        );
        let (fine, said) = command(&app, "client", &["failures", "web", "--json"]);
        let read: Value = serde_json::from_str(&said).expect("JSON");
        let all = read["failures"].as_array().expect("a list");
        let slashes = all.iter().filter(|one| one["kind"] == "redirect_uri_slash");
        assert!(fine && slashes.count() >= 2, "{said}");
        let told = &all[0]["explanation"];
        assert!(
            told["what"].is_string() && told["remedy"].is_string(),
            "{told}"
        );
        let (fine, said) = command(&app, "client", &["failures", "--unknown"]);
        assert!(
            fine && said.contains("unknown client someone-unknown"),
            "{said}"
        );
        for arguments in [
            &["failures", "taxed"][..],
            &["failures", "--reference", "0000"],
            &["failures"],
            &["failures", "web", "--unknown"],
        ] {
            let (fine, said) = command(&app, "client", arguments);
            assert!(!fine && !said.contains("panicked"), "{said}");
        }
    }
);
