//! Text in the formats of others, so that it stays one value there whatever it holds. What comes here
//! is printable ASCII: ids and addresses.

use super::Application;

/// A string of JSON, which YAML, TypeScript and JavaScript read as one, too.
pub(super) fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A string of Ruby in which nothing is interpolated.
pub(super) fn ruby(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// A word of a POSIX shell.
pub(super) fn shell(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// An argument of an Apache directive.
pub(super) fn apache(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A value in Grafana's ini, where `#` and `;` begin comments. Between backquotes nothing is read.
pub(super) fn ini(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/?=&%+,@ ".contains(c);
    match text.chars().all(is_plain) {
        true => text.to_owned(),
        false => format!("`{text}`"),
    }
}

/// What every reader of environment files takes as it is written, shells among them.
pub(super) fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._:/@+=,%".contains(c)
}

/// Why an id cannot be written for an application: it would read it as something else, and nothing that
/// all of its versions know keeps it from that.
pub(super) fn unfit(application: Application, client_id: &str) -> Option<String> {
    let first_of = |texts: &[&str]| {
        let found = texts.iter().find(|text| client_id.contains(**text));
        found.map(|text| (*text).to_owned())
    };
    let found = match application {
        // Placeholders, which are replaced after the file was read.
        Application::Spring | Application::Keycloak | Application::ModAuthOpenidc => {
            first_of(&["${"])
        }
        Application::Grafana => first_of(&["`", "$", "%("]),
        // Readers of environment files differ in what they make of quotes, and shells read them, too.
        Application::AuthJs => {
            let other = client_id.chars().find(|c| !is_plain(*c));
            other.map(String::from)
        }
        _ => None,
    }?;
    Some(format!(
        "holds {found}, which the application would not read as written: choose a client id without"
    ))
}
