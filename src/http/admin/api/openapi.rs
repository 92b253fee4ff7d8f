//! The API as OpenAPI 3.1, made from its table.

use serde_json::{Map, Value, json};

use super::cursor::LONGEST;
use super::operation::{Gives, Operation};
use super::problem::Kind;
use super::read::{Parameter, ParameterKind};
use super::{BASE, schema, table};
use crate::admin::scope::Scope;
use crate::config::Config;
use crate::config::admin::Admin;

/// What can go wrong with every operation.
pub const ALWAYS: [Kind; 9] = [
    Kind::Mistakes,
    Kind::Unproven,
    Kind::Scope,
    Kind::Slow,
    Kind::TooLarge,
    Kind::Misdirected,
    Kind::Failed,
    Kind::Unavailable,
    Kind::Unreadable,
];

/// The document.
pub fn document(config: &Config, admin: &Admin) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    let mut areas: Vec<&str> = Vec::new();
    for operation in table() {
        if !areas.contains(&operation.area) {
            areas.push(operation.area);
        }
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        let method = operation.method.as_str().to_ascii_lowercase();
        path[method] = described(&operation);
    }
    let scope = |scope: &Scope| (scope.as_str().to_owned(), json!(scope.meaning()));
    let scopes: Map<String, Value> = Scope::ALL.iter().map(scope).collect();
    let tag = |area: &&str| json!({ "name": area });
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Portvakt administration",
            "version": "1",
            "description": "Clients, keys, sessions, people's rights, administrators and the audit log of one installation. \
                An error is a problem (RFC 9457). What has a version is written over by those alone who send \
                the ETag that they read in If-Match.",
        },
        "servers": [{ "url": format!("{}{BASE}", admin.address.url) }],
        "tags": areas.iter().map(tag).collect::<Vec<_>>(),
        "paths": paths,
        "components": {
            "schemas": schema::schemas(),
            "securitySchemes": {
                "clientCredentials": {
                    "type": "oauth2",
                    "description": "An access token that a client gets for itself, by itself or bound to a key (DPoP).",
                    "flows": {
                        "clientCredentials": {
                            "tokenUrl": format!("{}/token", config.issuer.url),
                            "scopes": scopes,
                        },
                    },
                },
            },
        },
    })
}

fn described(operation: &Operation) -> Value {
    let mut parameters: Vec<Value> = operation.path_parts().map(path_part).collect();
    parameters.extend(operation.parameters.iter().map(in_query));
    if operation.is_conditional {
        parameters.push(json!({
            "name": "If-Match",
            "in": "header",
            // Missing, it is answered by a status of its own (RFC 6585 §3).
            "required": true,
            "schema": {"type": "string", "pattern": "^(\\*|\"v[0-9]{1,18}\")$"},
            "examples": {
                "version": {"summary": "What was read.", "value": "\"v1\""},
                "any": {"summary": "Whatever there is.", "value": "*"},
            },
            "description": "The ETag of the version that is written over.",
        }));
    }
    let mut described = json!({
        "operationId": operation.id,
        "summary": operation.summary,
        "tags": [operation.area],
        "security": [{ "clientCredentials": [operation.scope.as_str()] }],
        "parameters": parameters,
        "responses": responses(operation),
    });
    if let Some(takes) = operation.takes {
        let example: Value = serde_json::from_str(takes.example).unwrap_or_default();
        described["requestBody"] = json!({
            "required": true,
            "content": {
                takes.media_type: {
                    "schema": {"$ref": format!("#/components/schemas/{}", takes.schema)},
                    "example": example,
                },
            },
        });
    }
    described
}

fn path_part(name: &str) -> Value {
    let (schema, example) = match name {
        "client_id" => (schema::visible(), json!("app")),
        "kid" => (
            json!({"type": "string", "minLength": 1, "maxLength": 100}),
            Value::Null,
        ),
        "secret_id" => (
            json!({"type": "string", "pattern": "^[0-9a-f]{8}$"}),
            Value::Null,
        ),
        _ => (json!({"type": "string", "format": "uuid"}), Value::Null),
    };
    let mut part = json!({ "name": name, "in": "path", "required": true, "schema": schema });
    if !example.is_null() {
        part["example"] = example;
    }
    part
}

fn in_query(parameter: &Parameter) -> Value {
    json!({
        "name": parameter.name,
        "in": "query",
        "required": parameter.is_needed,
        "description": parameter.description,
        "schema": parameter_schema(parameter.kind),
    })
}

fn parameter_schema(kind: ParameterKind) -> Value {
    match kind {
        ParameterKind::Text { least, most } => {
            // Without control characters.
            let pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$";
            json!({"type": "string", "minLength": least, "maxLength": most, "pattern": pattern})
        }
        ParameterKind::Cursor => json!({
            "type": "string", "minLength": 1, "maxLength": LONGEST, "pattern": "^[A-Za-z0-9_-]+$",
        }),
        ParameterKind::ClientId => schema::visible(),
        ParameterKind::Number { least, most } => {
            json!({"type": "integer", "minimum": least, "maximum": most})
        }
        ParameterKind::OneOf(values) => json!({"type": "string", "enum": values}),
    }
}

fn responses(operation: &Operation) -> Value {
    let mut responses = Map::new();
    for gives in &operation.gives {
        responses.insert(gives.status.to_string(), given(gives));
    }
    let kinds = ALWAYS.iter().chain(&operation.fails);
    for kind in kinds {
        let status = kind.status();
        let problem = responses.entry(status.as_str()).or_insert_with(|| {
            json!({
                "description": kind.title(),
                "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
            })
        });
        if status.as_u16() == 412 {
            problem["headers"] = headers(&["ETag"]);
        }
        if status.as_u16() == 401 {
            problem["headers"] = headers(&["WWW-Authenticate"]);
        }
    }
    Value::Object(responses)
}

fn given(gives: &Gives) -> Value {
    let mut given = json!({ "description": gives.description });
    if let Some(schema) = gives.schema {
        let schema = format!("#/components/schemas/{schema}");
        given["content"] = json!({"application/json": {"schema": {"$ref": schema}}});
    }
    if !gives.headers.is_empty() {
        given["headers"] = headers(gives.headers);
    }
    given
}

fn headers(names: &[&str]) -> Value {
    let header = |name: &&str| {
        let header = json!({"required": true, "schema": {"type": "string"}});
        ((*name).to_owned(), header)
    };
    Value::Object(names.iter().map(header).collect())
}
