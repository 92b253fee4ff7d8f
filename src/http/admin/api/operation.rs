//! One operation: what it is, what it takes, what it answers, and what is behind it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use actix_web::http::Method;

use super::super::super::input::{BODY_LIMIT, PICTURES_LIMIT};
use super::problem::Kind;
use super::read::Parameter;
use super::{Answered, Call};
use crate::admin::scope::Scope;

type Work = Pin<Box<dyn Future<Output = Answered> + Send>>;

/// An operation.
#[derive(Clone)]
pub struct Operation {
    /// The method.
    pub method: Method,
    /// The path below the API's own, with its parts in braces.
    pub path: &'static str,
    /// The scope that it takes.
    pub scope: Scope,
    /// Its name for programs.
    pub id: &'static str,
    /// What it does, in one line.
    pub summary: &'static str,
    /// The part of the API that it stands in.
    pub area: &'static str,
    /// The parameters of its query.
    pub parameters: &'static [Parameter],
    /// What its body is.
    pub takes: Option<Takes>,
    /// How many bytes that may have.
    pub most_bytes: usize,
    /// Whether it takes the version that its caller saw.
    pub is_conditional: bool,
    /// What it answers.
    pub gives: Vec<Gives>,
    /// What can go wrong with it that cannot with every operation.
    pub fails: Vec<Kind>,
    behind: Arc<dyn Fn(Call) -> Work + Send + Sync>,
}

/// What a body is.
#[derive(Clone, Copy, Debug)]
pub struct Takes {
    /// Its media type.
    pub media_type: &'static str,
    /// Its schema.
    pub schema: &'static str,
    /// One, as JSON.
    pub example: &'static str,
}

/// What is answered.
#[derive(Clone, Copy, Debug)]
pub struct Gives {
    /// With which status.
    pub status: u16,
    /// The schema of the body; none, where there is no body.
    pub schema: Option<&'static str>,
    /// What it says.
    pub description: &'static str,
    /// Which headers it has besides.
    pub headers: &'static [&'static str],
}

impl Operation {
    /// An operation that answers nothing yet.
    pub fn new<F, Fut>(
        scope: Scope,
        method: Method,
        path: &'static str,
        id: &'static str,
        summary: &'static str,
        door: F,
    ) -> Operation
    where
        F: Fn(Call) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Answered> + Send + 'static,
    {
        Operation {
            method,
            path,
            scope,
            id,
            summary,
            area: "",
            parameters: &[],
            takes: None,
            most_bytes: BODY_LIMIT,
            is_conditional: false,
            gives: Vec::new(),
            fails: match path.contains('{') {
                true => vec![Kind::Unknown],
                false => Vec::new(),
            },
            behind: Arc::new(move |call| Box::pin(door(call))),
        }
    }

    /// In a part of the API.
    pub fn of(self, area: &'static str) -> Operation {
        Operation { area, ..self }
    }

    /// With parameters in its query.
    pub fn asks(self, parameters: &'static [Parameter]) -> Operation {
        Operation { parameters, ..self }
    }

    /// With a JSON object as its body.
    pub fn takes(self, schema: &'static str, example: &'static str) -> Operation {
        self.takes_as("application/json", schema, example)
    }

    /// The same of another media type.
    pub fn takes_as(
        mut self,
        media_type: &'static str,
        schema: &'static str,
        example: &'static str,
    ) -> Operation {
        self.fails.push(Kind::MediaType);
        self.takes = Some(Takes {
            media_type,
            schema,
            example,
        });
        self
    }

    /// With pictures in its body.
    pub fn with_pictures(self) -> Operation {
        Operation {
            most_bytes: PICTURES_LIMIT,
            ..self
        }
    }

    /// For those alone who say which version they saw.
    pub fn of_version(mut self) -> Operation {
        self.is_conditional = true;
        self.fails.extend([Kind::Changed, Kind::Unconditional]);
        self
    }

    /// With an answer.
    pub fn gives(
        mut self,
        status: u16,
        schema: &'static str,
        description: &'static str,
        headers: &'static [&'static str],
    ) -> Operation {
        self.gives.push(Gives {
            status,
            schema: Some(schema),
            description,
            headers,
        });
        self
    }

    /// With an answer that has no body.
    pub fn gives_nothing(
        mut self,
        description: &'static str,
        headers: &'static [&'static str],
    ) -> Operation {
        self.gives.push(Gives {
            status: 204,
            schema: None,
            description,
            headers,
        });
        self
    }

    /// With more that can go wrong.
    pub fn fails(mut self, kinds: &[Kind]) -> Operation {
        self.fails.extend(kinds);
        self
    }

    /// The names of the parts of its path.
    pub fn path_parts(&self) -> impl Iterator<Item = &'static str> {
        let parts = self.path.split('/');
        parts.filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
    }

    /// What it answers to a call.
    pub async fn answered(&self, call: Call) -> Answered {
        (self.behind)(call).await
    }
}
