//! The form of a client's settings, made from the table of all settings.

use crate::client::setting::{
    Choice, Fallback, Format, Group, Kind, Mistake, ON, SETTINGS, Setting,
};

/// A part of the form.
pub struct Part {
    pub title: &'static str,
    pub fields: Vec<Field>,
    /// Whether it is unfolded from the start.
    pub is_open: bool,
}

/// One setting on the form.
pub struct Field {
    pub setting: &'static Setting,
    pub id: String,
    pub text: String,
    pub control: Control,
    pub mistake: Option<String>,
    /// Whether it is below a switch.
    pub is_below: bool,
}

/// How a setting is entered.
pub enum Control {
    Line {
        most: usize,
    },
    Logo,
    Number {
        least: u32,
        most: u32,
        unit: &'static str,
    },
    Switch {
        is_on: bool,
    },
    Choice(Vec<Value>),
    Choices {
        none: &'static str,
        values: Vec<Value>,
    },
    Lines {
        rows: usize,
    },
    Json,
}

/// One value that can be chosen.
pub struct Value {
    pub value: &'static str,
    pub label: &'static str,
    pub meaning: &'static str,
    pub is_chosen: bool,
}

/// The form, filled in.
pub fn parts(values: &[(String, String)], mistakes: &[Mistake]) -> Vec<Part> {
    let part = |group: Group| {
        let fields: Vec<Field> = SETTINGS
            .iter()
            .filter(|setting| setting.group == group)
            .map(|setting| field(setting, values, mistakes))
            .collect();
        let is_troubled = fields.iter().any(|field| field.mistake.is_some());
        let is_basic = matches!(
            group,
            Group::Basics | Group::Addresses | Group::Authentication
        );
        Part {
            title: group.title(),
            fields,
            is_open: is_basic || is_troubled,
        }
    };
    Group::FORM.into_iter().map(part).collect()
}

/// Whether a setting is a detail of one that is on or off.
fn is_below_a_switch(name: &str) -> bool {
    let above = name.rsplit_once('.').map(|(above, _)| above);
    above.is_some_and(|above| SETTINGS.iter().any(|setting| setting.name == above))
}

/// Where a setting is on the form.
pub fn anchor(setting: &str) -> String {
    format!("set-{}", setting.replace('.', "-"))
}

fn field(setting: &'static Setting, values: &[(String, String)], mistakes: &[Mistake]) -> Field {
    let sent: Vec<&str> = values
        .iter()
        .filter(|(name, _)| name == setting.name)
        .map(|(_, text)| text.as_str())
        .collect();
    let text = sent.first().copied().unwrap_or_default().to_owned();
    let option = |choice: &'static Choice, is_chosen: bool| Value {
        value: choice.value,
        label: choice.label,
        meaning: choice.meaning,
        is_chosen,
    };
    let control = match setting.kind {
        Kind::Line(line) if line.format == Format::Logo => Control::Logo,
        Kind::Line(line) => Control::Line { most: line.most },
        Kind::Number { least, most, unit } => Control::Number { least, most, unit },
        Kind::Switch { .. } => Control::Switch {
            is_on: sent.contains(&ON),
        },
        Kind::Choice { values, default } => {
            let chosen = match (text.as_str(), default) {
                ("", Fallback::Value(value)) => value,
                (text, _) => text,
            };
            let unset = match default {
                Fallback::Unset(meaning) => Some(Value {
                    value: "",
                    label: "Not set",
                    meaning,
                    is_chosen: chosen.is_empty(),
                }),
                Fallback::Value(_) => None,
            };
            let options = values
                .iter()
                .map(|choice| option(choice, choice.value == chosen));
            Control::Choice(unset.into_iter().chain(options).collect())
        }
        Kind::Choices { values, none } => {
            let chosen: Vec<&str> = sent.iter().flat_map(|text| text.lines()).collect();
            let options = values.iter().map(|c| option(c, chosen.contains(&c.value)));
            Control::Choices {
                none,
                values: options.collect(),
            }
        }
        Kind::Lines { .. } | Kind::Translations(_) => Control::Lines {
            rows: text.lines().count().clamp(2, 8),
        },
        Kind::Json => Control::Json,
    };
    let mistake = mistakes
        .iter()
        .find(|mistake| mistake.setting == setting.name);
    Field {
        setting,
        id: anchor(setting.name),
        text,
        control,
        mistake: mistake.map(|mistake| mistake.reason.clone()),
        is_below: is_below_a_switch(setting.name),
    }
}
