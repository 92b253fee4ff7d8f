//! The API for people: every operation with what it takes and answers, and how it is called.

use askama::Template;
use serde_json::Value;

use super::super::super::answer::Answer;
use super::super::super::input::Request;
use super::super::Caller;
use super::super::page::Frame;
use super::operation::Operation;
use super::read::ParameterKind;
use super::{BASE, DOCUMENT, schema, table};
use crate::admin::Unmet;
use crate::admin::scope::Scope;
use crate::provider::Provider;

/// The page.
#[derive(Template)]
#[template(path = "admin/api.html")]
pub struct Page {
    pub frame: Frame,
    pub document: &'static str,
    pub token: String,
    pub scopes: &'static [Scope],
    pub areas: Vec<Area>,
    pub schemas: Vec<Schema>,
}

/// A part of the API.
pub struct Area {
    pub name: &'static str,
    pub operations: Vec<Row>,
}

/// An operation.
pub struct Row {
    pub id: &'static str,
    pub method: String,
    pub path: String,
    pub summary: &'static str,
    pub scope: &'static str,
    pub parameters: Vec<ParameterRow>,
    pub takes: Option<(&'static str, &'static str)>,
    pub gives: Vec<GivesRow>,
    pub fails: Vec<FailsRow>,
    pub curl: String,
}

/// Something that is sent besides the body.
pub struct ParameterRow {
    pub name: &'static str,
    pub place: &'static str,
    pub is_needed: bool,
    pub what: String,
}

/// An answer.
pub struct GivesRow {
    pub status: u16,
    pub description: &'static str,
    pub schema: Option<&'static str>,
    pub headers: String,
}

/// A problem.
pub struct FailsRow {
    pub status: u16,
    pub title: &'static str,
    pub urn: String,
}

/// A schema, as JSON.
pub struct Schema {
    pub name: String,
    pub text: String,
}

pub async fn show(provider: Provider, _: Request, caller: Caller) -> Result<Answer, Unmet> {
    let admin = provider.config.admin.as_ref();
    let address = admin.map_or("", |admin| &admin.address.url);
    let mut areas: Vec<Area> = Vec::new();
    for operation in table() {
        let row = row(&operation, address);
        match areas.last_mut().filter(|area| area.name == operation.area) {
            Some(area) => area.operations.push(row),
            None => areas.push(Area {
                name: operation.area,
                operations: vec![row],
            }),
        }
    }
    let schema = |(name, schema): (String, Value)| Schema {
        name,
        text: format!("{schema:#}"),
    };
    Ok(Answer::page(&Page {
        frame: Frame::new(&provider, &caller, "API"),
        document: DOCUMENT,
        token: format!(
            "curl -u CLIENT_ID:CLIENT_SECRET {}/token -d grant_type=client_credentials -d scope={}",
            provider.config.issuer.url,
            Scope::ClientsRead.as_str(),
        ),
        scopes: Scope::ALL,
        areas,
        schemas: schema::schemas().into_iter().map(schema).collect(),
    }))
}

fn row(operation: &Operation, address: &str) -> Row {
    let mut kinds = operation.fails.clone();
    kinds.sort_by_key(|kind| kind.status());
    Row {
        id: operation.id,
        method: operation.method.to_string(),
        path: format!("{BASE}{}", operation.path),
        summary: operation.summary,
        scope: operation.scope.as_str(),
        parameters: parameters(operation),
        takes: operation
            .takes
            .map(|takes| (takes.media_type, takes.schema)),
        gives: operation
            .gives
            .iter()
            .map(|gives| GivesRow {
                status: gives.status,
                description: gives.description,
                schema: gives.schema,
                headers: gives.headers.join(", "),
            })
            .collect(),
        fails: kinds
            .iter()
            .map(|kind| FailsRow {
                status: kind.status().as_u16(),
                title: kind.title(),
                urn: kind.urn(),
            })
            .collect(),
        curl: curl(operation, address),
    }
}

fn parameters(operation: &Operation) -> Vec<ParameterRow> {
    let part = |name| ParameterRow {
        name,
        place: "path",
        is_needed: true,
        what: "Percent-encoded, where it has other characters than letters and digits.".to_owned(),
    };
    let mut rows: Vec<ParameterRow> = operation.path_parts().map(part).collect();
    rows.extend(operation.parameters.iter().map(|parameter| ParameterRow {
        name: parameter.name,
        place: "query",
        is_needed: parameter.is_needed,
        what: match parameter.kind {
            ParameterKind::OneOf(values) => {
                format!("{} One of {}.", parameter.description, values.join(", "))
            }
            ParameterKind::Number { least, most } => {
                format!("{} {least} to {most}.", parameter.description)
            }
            _ => parameter.description.to_owned(),
        },
    }));
    if operation.is_conditional {
        rows.push(ParameterRow {
            name: "If-Match",
            place: "header",
            is_needed: true,
            what: "The ETag of the version that is written over, or * for any.".to_owned(),
        });
    }
    rows
}

fn curl(operation: &Operation, address: &str) -> String {
    let path = operation.path.replace("{client_id}", "app");
    let path = path.replace(['{', '}'], "");
    let needed = operation.parameters.iter().filter(|one| one.is_needed);
    let query: Vec<String> = needed.map(|one| format!("{0}={0}", one.name)).collect();
    let query = match query.is_empty() {
        true => String::new(),
        false => format!("?{}", query.join("&")),
    };
    let mut said = format!(
        "curl -X {} '{address}{BASE}{path}{query}' \\\n  -H \"Authorization: Bearer $TOKEN\"",
        operation.method
    );
    if operation.is_conditional {
        said += " \\\n  -H 'If-Match: \"v1\"'";
    }
    if let Some(takes) = operation.takes {
        said += &format!(
            " \\\n  -H 'Content-Type: {}' \\\n  -d '{}'",
            takes.media_type, takes.example
        );
    }
    said
}
