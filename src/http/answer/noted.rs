//! What an answer says to nobody who reads it: which mistake of a client it refuses. The door leaves word
//! of it when the answer goes out.

use super::{Answer, View};
use crate::authorize::request::Parameters;
use crate::client::mistake::Reason;
use crate::error::{Code, Refusal};

/// A mistake of a client's.
#[derive(Debug)]
pub struct Noted {
    /// Which, as far as the rule knew.
    pub reason: Reason,
    /// What the client was told, or a page said.
    pub code: &'static str,
    /// By which name a page calls it; without, the door's own.
    pub reference: Option<String>,
    /// What was said where that is made for the mistake.
    pub said: Option<String>,
    /// The parameters that were looked at, where they are others than came with the request.
    pub asked: Option<Parameters>,
}

impl Noted {
    /// A mistake that no code stands for.
    pub fn mistake(reason: Reason) -> Noted {
        Noted {
            reason,
            code: reason.as_str(),
            reference: None,
            said: None,
            asked: None,
        }
    }

    /// What a refusal was for; nothing, where the client made no mistake.
    pub fn refusal(refusal: Refusal) -> Option<Noted> {
        let noted = refusal.reason.map(Noted::mistake);
        noted.map(|noted| noted.with_code(refusal.code))
    }

    /// With the code that the client was told.
    pub fn with_code(self, code: Code) -> Noted {
        Noted {
            code: code.as_str(),
            ..self
        }
    }

    /// With the reference on the page.
    pub fn called(self, view: &View) -> Noted {
        Noted {
            reference: Some(view.reference.clone()),
            ..self
        }
    }
}

impl Answer {
    /// With what it refuses.
    pub fn noting(mut self, noted: impl Into<Option<Noted>>) -> Answer {
        self.noted = noted.into().map(Box::new).or(self.noted);
        self
    }

    /// The same, said of these parameters.
    pub fn about(mut self, asked: &Parameters) -> Answer {
        if let Some(noted) = &mut self.noted {
            noted.asked = Some(asked.clone());
        }
        self
    }

    /// What it refuses, for whoever leaves word of it.
    pub fn take_noted(&mut self) -> Option<Noted> {
        self.noted.take().map(|noted| *noted)
    }
}
