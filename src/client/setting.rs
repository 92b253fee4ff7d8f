//! stub until merged
/// A mistake.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Mistake {
    /// s
    pub setting: String,
    /// r
    pub reason: String,
}
impl Mistake {
    /// n
    pub fn new(setting: impl Into<String>, reason: impl Into<String>) -> Mistake {
        Mistake {
            setting: setting.into(),
            reason: reason.into(),
        }
    }
}
/// j
pub fn from_json(value: serde_json::Value) -> Result<crate::client::Metadata, Vec<Mistake>> {
    serde_json::from_value(value).map_err(|e| vec![Mistake::new("", e.to_string())])
}
