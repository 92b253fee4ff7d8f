//! What is sent and what is told, as JSON Schema. What a client can be set to comes from the table of
//! settings.

use serde_json::{Map, Value, json};

use super::administrators::MOST_CLIENTS;
use super::problem::Kind;
use super::registration_tokens::{LONGEST, MOST_USES};
use crate::admin::client::{LONGEST_OVERLAP, OVERLAP};
use crate::admin::person::{LEAST_WHY, MOST_WHY};
use crate::admin::role::Role;
use crate::authorize::request::Scope;
use crate::client::refresh::MOST_DAYS;
use crate::client::registered::ManagedBy;
use crate::client::setting;
use crate::jose::algorithm::Algorithm;
use crate::person::holdings::Part;

/// Every schema by its name.
pub fn schemas() -> Map<String, Value> {
    let mut all = Map::new();
    for part in [
        clients(),
        entitlements(),
        failures(),
        tokens(),
        keys(),
        people(),
        persons(),
        audit(),
    ] {
        all.extend(part.as_object().cloned().unwrap_or_default());
    }
    all
}

/// A schema by its name.
fn named(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// An object that has these members and no others.
fn object(needed: &[&str], properties: Value) -> Value {
    let mut object = json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    if !needed.is_empty() {
        object["required"] = json!(needed);
    }
    object
}

/// The same with more members.
fn with(mut object: Value, needed: &[&str], more: Value) -> Value {
    for (name, schema) in more.as_object().into_iter().flatten() {
        object["properties"][name] = schema.clone();
    }
    if let Some(required) = object["required"].as_array_mut() {
        required.extend(needed.iter().map(|name| json!(name)));
    }
    object
}

fn list(of: &str) -> Value {
    object(
        &["items"],
        json!({"items": {"type": "array", "items": named(of)}}),
    )
}

/// A list that may go on.
fn part(of: &str) -> Value {
    let next = json!({"type": "string", "description": "The cursor of the part that follows; none at the end."});
    with(list(of), &[], json!({ "next": next }))
}

fn time() -> Value {
    json!({"type": "string", "format": "date-time"})
}

fn time_or_none() -> Value {
    json!({"type": ["string", "null"], "format": "date-time"})
}

fn id() -> Value {
    json!({"type": "string", "format": "uuid"})
}

/// 1 to 255 visible ASCII characters: a client's id, or a sector.
pub fn visible() -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"})
}

fn line(most: usize) -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": most})
}

fn one_of<'a>(values: impl Iterator<Item = &'a str>) -> Value {
    json!({"type": "string", "enum": values.collect::<Vec<_>>()})
}

fn managed_by() -> Value {
    one_of(ManagedBy::ALL.iter().map(|by| by.as_str()))
}

fn algorithm() -> Value {
    one_of(Algorithm::ALL.iter().map(|algorithm| algorithm.as_str()))
}

fn secret() -> Value {
    json!({"type": "string", "description": "Shown this once, and nowhere later."})
}

/// What a merge patch of something may hold: some of it, and null for what is to be unset.
fn patch_of(schema: &Value) -> Value {
    let mut patch = schema.clone();
    if let Some(either) = patch.get_mut("oneOf").and_then(Value::as_array_mut) {
        for one in either {
            *one = patch_of(one);
        }
    }
    let needed = schema["required"].as_array().cloned().unwrap_or_default();
    if let Some(members) = patch.get_mut("properties").and_then(Value::as_object_mut) {
        for (name, member) in members {
            let patched = patch_of(member);
            *member = match needed.contains(&json!(name)) {
                true => patched,
                false => json!({"anyOf": [patched, {"type": "null"}]}),
            };
        }
    }
    if let Some(patch) = patch.as_object_mut() {
        for of_the_whole in ["required", "minProperties", "maxProperties"] {
            patch.remove(of_the_whole);
        }
    }
    patch
}

fn clients() -> Value {
    let metadata = setting::schema();
    let written = json!({"sector": visible(), "metadata": named("Metadata")});
    let listed = object(
        &[
            "client_id",
            "sector",
            "managed_by",
            "source",
            "version",
            "created_at",
            "updated_at",
            "removed_at",
            "metadata",
        ],
        json!({
            "client_id": visible(),
            "sector": {"type": "string"},
            "managed_by": managed_by(),
            "source": {"type": "string", "description": "The client file that manages it, where one does."},
            "version": {"type": "integer", "minimum": 1, "description": "Counts its changes. Its ETag is \"v\" and this."},
            "created_at": time(),
            "updated_at": time(),
            "removed_at": time_or_none(),
            "metadata": named("Metadata"),
        }),
    );
    let secrets = json!({"secrets": {"type": "array", "items": named("Secret"), "description": "The latest first."}});
    let client = with(listed.clone(), &["secrets"], secrets);
    json!({
        "MetadataPatch": patch_of(&metadata),
        "Metadata": metadata,
        "ClientCreate": with(object(&["metadata"], written.clone()), &[], json!({"client_id": visible()})),
        "ClientReplace": object(&["metadata"], written),
        "ClientPatch": object(&[], json!({"sector": visible(), "metadata": named("MetadataPatch")})),
        "ClientInList": listed,
        "ClientList": part("ClientInList"),
        "ClientWithSecret": with(client.clone(), &[], json!({"client_secret": secret()})),
        "Client": client,
        "Secret": object(&["id", "created_at", "expires_at"], json!({
            "id": {"type": "string", "description": "The first digits of its digest, which say nothing about it."},
            "created_at": time(),
            "expires_at": time_or_none(),
        })),
        "SecretCreate": object(&[], json!({
            "overlap_seconds": {
                "type": "integer", "minimum": 0, "maximum": LONGEST_OVERLAP.0, "default": OVERLAP.0,
                "description": "How long the secrets that it has live on.",
            },
        })),
        "PreviewRequest": object(&["scopes"], json!({
            "scopes": {
                "type": "array", "maxItems": Scope::ALL.len(), "uniqueItems": true, "contains": {"const": "openid"},
                "items": one_of(Scope::ALL.iter().map(|scope| scope.as_str())),
            },
        })),
        "Preview": object(&["authorize_url", "id_token", "userinfo"], json!({
            "authorize_url": {"type": "string", "description": "Where a login begins."},
            "id_token": {"type": "object", "description": "The claims of the ID token."},
            "userinfo": {"type": "object", "description": "What userinfo answers."},
            "logout_token": {"type": "object", "description": "The claims of the token that tells of a logout."},
        })),
    })
}

fn entitlements() -> Value {
    let entitlement = setting::schema()["properties"]["personal_number"].clone();
    json!({
        "Entitlement": entitlement,
        "EntitlementAnswer": object(&["answer"], json!({"answer": one_of(["grant", "refuse"].into_iter())})),
        "EntitlementRequest": object(&["client_id", "asked_by", "asked_at", "wanted"], json!({
            "client_id": visible(),
            "asked_by": {"type": "string"},
            "asked_at": time(),
            "wanted": named("Entitlement"),
        })),
        "EntitledClient": object(&["client_id", "client_name", "managed_by", "entitlement", "holds"], json!({
            "client_id": visible(),
            "client_name": {"type": "string"},
            "managed_by": managed_by(),
            "entitlement": named("Entitlement"),
            "holds": {"type": "boolean", "description": "Whether it has not ended."},
        })),
        "EntitlementReport": object(&["entitled", "waiting"], json!({
            "entitled": {"type": "array", "items": named("EntitledClient")},
            "waiting": {"type": "array", "items": named("EntitlementRequest")},
        })),
    })
}

fn failures() -> Value {
    json!({
        "Failure": object(&["reference", "at", "endpoint", "code", "kind", "times", "explanation"], json!({
            "reference": {"type": "string", "description": "What the page of the error calls it."},
            "at": time(),
            "client_id": visible(),
            "claimed_client_id": {"type": "string", "description": "What it called its client, where no registered one."},
            "endpoint": {"type": "string"},
            "code": {"type": "string", "description": "The error code that the client was told."},
            "kind": {"type": "string", "description": "The exact mistake, by a name that stays."},
            "times": {"type": "integer", "minimum": 1, "description": "How often the same came in that minute."},
            "explanation": named("Explanation"),
        })),
        "Explanation": object(&["what", "remedy"], json!({
            "what": {"type": "string"},
            "difference": {"type": "string"},
            "remedy": {"type": "string"},
        })),
        "FailureList": part("Failure"),
        "Problem": object(&["type", "title", "status", "detail"], json!({
            "type": one_of(Kind::ALL.iter().map(|kind| kind.urn()).collect::<Vec<_>>().iter().map(String::as_str)),
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "mistakes": {"type": "array", "items": named("Mistake"), "minItems": 1},
            "reference": {"type": "string", "description": "By what the program's log calls a fault of ours."},
        })),
        "Mistake": object(&["setting", "reason"], json!({
            "setting": {"type": "string", "description": "Where it is in what was sent, as a path; empty for the whole."},
            "reason": {"type": "string"},
        })),
    })
}

fn tokens() -> Value {
    let pkce = one_of(["required", "accepted"].into_iter());
    let token = object(
        &[
            "id",
            "note",
            "uses",
            "uses_left",
            "expires_at",
            "revoked_at",
            "refresh_tokens",
            "pkce",
            "sector",
        ],
        json!({
            "id": id(),
            "note": {"type": "string"},
            "uses": {"type": "integer"},
            "uses_left": {"type": "integer"},
            "expires_at": time(),
            "revoked_at": time_or_none(),
            "refresh_tokens": setting::schema()["properties"]["refresh_tokens"].clone(),
            "pkce": pkce.clone(),
            "sector": {"type": ["string", "null"]},
        }),
    );
    let number = |least: u32, most: u32, default: Option<u32>, description: &str| {
        let mut number = json!({
            "type": "integer", "minimum": least, "maximum": most, "description": description,
        });
        if let Some(default) = default {
            number["default"] = default.into();
        }
        number
    };
    json!({
        "RegistrationTokenCreate": object(&["note"], json!({
            "note": {"type": "string", "minLength": 1, "maxLength": 120, "description": "What it is for."},
            "uses": number(1, MOST_USES, Some(1), "How many clients may register by it."),
            "lifetime_seconds": number(60, LONGEST, Some(86_400), "For how long."),
            "refresh_token_days": number(1, MOST_DAYS.into(), None, "Lets its clients have refresh tokens: what came of a login ends after so many days."),
            "pkce": pkce,
            "sector": visible(),
        })),
        "RegistrationTokenWithSecret": with(token.clone(), &["token"], json!({"token": secret()})),
        "RegistrationToken": token,
        "RegistrationTokenList": list("RegistrationToken"),
    })
}

fn keys() -> Value {
    json!({
        "Key": object(
            &["kid", "algorithm", "state", "created_at", "active_at", "retained_until", "revoked_at"],
            json!({
                "kid": {"type": "string"},
                "algorithm": algorithm(),
                "state": one_of(["announced", "active", "retained", "removed"].into_iter()),
                "created_at": time(),
                "active_at": time(),
                "retained_until": time_or_none(),
                "revoked_at": time_or_none(),
            }),
        ),
        "KeyList": list("Key"),
        "KeyAnnounce": object(&["algorithm"], json!({"algorithm": algorithm()})),
        "KeyRevoked": object(&["kid", "algorithm", "replaced_by"], json!({
            "kid": {"type": "string"},
            "algorithm": algorithm(),
            "replaced_by": {"type": ["string", "null"], "description": "The key that signs in its place; null where it did not sign."},
        })),
    })
}

fn people() -> Value {
    let role = one_of(Role::ALL.iter().map(|role| role.as_str()));
    let clients = json!({
        "type": "array", "items": visible(), "maxItems": MOST_CLIENTS,
        "description": "Which clients a client administrator is for; all of them, where it is not there.",
    });
    let administrator = object(
        &["id", "name", "role", "is_enrolled", "version", "created_at"],
        json!({
            "id": id(),
            "name": {"type": "string"},
            "role": role,
            "clients": clients,
            "is_enrolled": {"type": "boolean", "description": "Whether they have taken their invitation."},
            "version": {"type": "integer", "minimum": 1},
            "created_at": time(),
        }),
    );
    let invitation = json!({"invitation": secret(), "invitation_expires_at": time()});
    let may = json!({"role": role, "clients": clients});
    json!({
        "AdministratorInvited": with(administrator.clone(), &["invitation", "invitation_expires_at"], invitation),
        "AdministratorList": list("Administrator"),
        "Administrator": administrator,
        "AdministratorInvite": with(object(&["role"], may.clone()), &["name"], json!({"name": line(80)})),
        "AdministratorChange": object(&["role"], may),
        "Session": object(&["id", "client_id", "auth_time", "expires_at"], json!({
            "id": {"type": "string", "format": "uuid", "description": "The sid of its ID tokens."},
            "client_id": visible(),
            "auth_time": time(),
            "expires_at": time(),
        })),
        "SessionList": list("Session"),
    })
}

fn persons() -> Value {
    let part = one_of(Part::ALL.iter().map(|part| part.as_str()));
    let asked = json!({
        "personal_number": {"type": "string", "pattern": "^[0-9]{12}$", "description": "With its century."},
        "why": {
            "type": "string", "minLength": LEAST_WHY, "maxLength": MOST_WHY,
            "pattern": "^[^\\u0000-\\u001f\\u007f-\\u009f]*$",
            "description": "Why, for the audit log; without the number.",
        },
    });
    let with_evidence = json!({"with_evidence": {
        "type": "boolean", "default": false, "description": "Whether what proves logins goes, too.",
    }});
    let count = json!({"type": "integer", "minimum": 0});
    let counted = [
        "person",
        "sessions",
        "grants",
        "approvals",
        "logins",
        "requests",
        "evidence",
    ];
    let counts: Map<String, Value> = counted
        .iter()
        .map(|name| ((*name).to_owned(), count.clone()))
        .collect();
    json!({
        "PersonExportRequest": object(&["personal_number", "why"], asked.clone()),
        "PersonEraseRequest": with(object(&["personal_number", "why"], asked), &[], with_evidence),
        "PersonExport": object(&["personal_number", "issuer", "at", "parts"], json!({
            "personal_number": {"type": "string"},
            "issuer": {"type": "string"},
            "at": time(),
            "parts": {"type": "array", "items": named("PersonPart"), "description": "Each part, also those of which there is nothing."},
        })),
        "PersonPart": object(&["part", "purpose", "until", "items"], json!({
            "part": part.clone(),
            "purpose": {"type": "string", "description": "What it is kept for."},
            "until": {"type": "string", "description": "Until when it is kept."},
            "items": {"type": "array", "items": {"type": "object"}},
        })),
        "PersonErased": object(&["erased", "clients", "stays"], json!({
            "erased": object(&counted, counts.into()),
            "clients": {
                "type": "array", "items": visible(),
                "description": "Clients that were told something of the person, as far as that was known. They may have kept it.",
            },
            "stays": {"type": "array", "items": named("PersonStaying")},
        })),
        "PersonStaying": object(&["part", "why", "until"], json!({
            "part": part,
            "id": {"type": "string"},
            "client_id": visible(),
            "why": {"type": "string"},
            "until": {"type": "string"},
        })),
    })
}

fn audit() -> Value {
    let told = json!({"type": ["object", "null"]});
    json!({
        "Event": object(
            &["id", "at", "actor", "door", "address", "action", "object", "before", "after"],
            json!({
                "id": id(),
                "at": time(),
                "actor": {"type": "string", "description": "Who: `client:provisioning`."},
                "door": {"type": ["string", "null"], "description": "By what: `api`, `page`, `cli`, `file` or `registration`."},
                "address": {"type": ["string", "null"], "description": "From where."},
                "action": {"type": "string", "description": "What: `client.change`."},
                "object": {"type": "string", "description": "To what: `client:app`."},
                "before": told.clone(),
                "after": told,
            }),
        ),
        "EventList": part("Event"),
        "AuditHead": object(&["head"], json!({"head": {"type": ["string", "null"]}})),
    })
}
