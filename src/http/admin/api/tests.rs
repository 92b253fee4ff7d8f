//! Who comes in, and whether the table and the document are one.

use std::collections::BTreeSet;

use serde_json::json;

use super::*;
use crate::authorize::request::Parameters;
use crate::clock::Timestamp;
use crate::error::Code;
use crate::id::ClientId;
use crate::token::grant::tests::client;

const NAMES: Names<'_> = Names {
    issuer: "https://op.example",
    api: "https://admin.example/api/v1",
};

fn registered(scopes: &[&str]) -> Client {
    client(
        "robot",
        json!({
            "client_credentials": {"scopes": scopes},
            "resources": [NAMES.api, "https://other.example"],
        }),
    )
}

fn record(scope: &str, resources: &[&str]) -> AccessRecord {
    let named = resources
        .iter()
        .map(|name| ("resource".to_owned(), (*name).to_owned()));
    let named = Parameters::from_pairs(named);
    let resources =
        crate::authorize::resource::Resources::read(&named, &registered(&[]), NAMES.issuer);
    AccessRecord {
        expires_at: Timestamp(1),
        binding: None,
        scope: scope.to_owned(),
        resources: resources.expect("registered"),
        client_id: ClientId::parse("robot").expect("an id"),
        grant: None,
    }
}

#[test]
fn a_token_opens_what_its_client_may_do_now() {
    let _shows = crate::shows!(accepting "PV-API-2", refusing "PV-API-2");
    let robot = registered(&["portvakt:keys:read", "portvakt:keys:write", "orders"]);
    let opened = |record: &AccessRecord, scope| {
        let opened = opens(record, Some(&robot), NAMES, scope);
        opened.map(|_| ()).map_err(|refusal| refusal.code)
    };
    let both = "orders portvakt:keys:read";
    for resources in [
        &[][..],
        &[NAMES.issuer],
        &[NAMES.api],
        &[NAMES.api, "https://other.example"],
    ] {
        let record = record(both, resources);
        assert_eq!(opened(&record, Scope::KeysRead), Ok(()), "{resources:?}");
        assert_eq!(
            opened(&record, Scope::KeysWrite),
            Err(Code::InsufficientScope)
        );
    }
    let elsewhere = record(both, &["https://other.example"]);
    assert_eq!(opened(&elsewhere, Scope::KeysRead), Err(Code::InvalidToken));
    // What it had when the token was made is not what counts.
    let was = record("portvakt:clients:read", &[]);
    assert_eq!(
        opened(&was, Scope::ClientsRead),
        Err(Code::InsufficientScope)
    );
    assert_eq!(
        opened(&record("", &[]), Scope::KeysRead),
        Err(Code::InsufficientScope)
    );
    let public = client(
        "robot",
        json!({"client_credentials": {"scopes": ["portvakt:keys:read"]}, "token_endpoint_auth": "none"}),
    );
    let of = |client| {
        let opened = opens(&record(both, &[]), client, NAMES, Scope::KeysRead);
        opened.map(|_| ()).map_err(|refusal| refusal.code)
    };
    assert_eq!(of(Some(&public)), Err(Code::InsufficientScope));
    assert_eq!(of(None), Err(Code::InvalidToken), "a client that is gone");
}

#[test]
fn the_document_says_what_the_table_has() {
    let _shows = crate::shows!(accepting "PV-API-1");
    let table = table();
    let schemas = schema::schemas();
    let names: BTreeSet<&str> = table.iter().map(|operation| operation.id).collect();
    assert_eq!(names.len(), table.len(), "a name is one operation's");
    let addresses: BTreeSet<_> = table
        .iter()
        .map(|operation| (operation.path, operation.method.as_str()))
        .collect();
    assert_eq!(addresses.len(), table.len());
    let mut used = BTreeSet::new();
    for operation in &table {
        assert!(
            !operation.area.is_empty() && !operation.gives.is_empty(),
            "{}",
            operation.id
        );
        let takes = operation.takes.map(|takes| takes.schema);
        let gives = operation.gives.iter().filter_map(|gives| gives.schema);
        used.extend(gives.chain(takes));
        if let Some(takes) = operation.takes {
            let example: Value = serde_json::from_str(takes.example).expect(operation.id);
            assert!(example.is_object(), "{}", operation.id);
        }
    }
    for name in used {
        assert!(schemas.contains_key(name), "{name} is no schema");
    }
    // Every schema that another one names is there, and what is sent is closed.
    let text = json!(schemas).to_string();
    for name in text.split("#/components/schemas/").skip(1) {
        let name = name.split('"').next().expect("a name");
        assert!(schemas.contains_key(name), "{name} is no schema");
    }
    for operation in table.iter().filter_map(|operation| operation.takes) {
        assert_eq!(schemas[operation.schema]["additionalProperties"], false);
    }
    // Every scope is good for something.
    for scope in Scope::ALL {
        assert!(
            table.iter().any(|operation| operation.scope == *scope),
            "{scope:?}"
        );
    }
}
