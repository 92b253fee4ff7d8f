//! A person's rights. Who is meant stands in the body and never in an address.

use serde_json::{Value, json};

use super::super::super::answer::Answer;
use super::problem::Problem;
use super::read::{Members, Reading, text};
use super::{Answered, Call};
use crate::admin::person::{self, Asked, Evidence};
use crate::bankid::personal_number::PersonalNumber;
use crate::session::delivery;

/// Who is meant, and why.
fn asked(members: &mut Members) -> Option<(PersonalNumber, String)> {
    let number = text("must be 12 digits", PersonalNumber::parse);
    let number = members.need("personal_number", number);
    let why = text("must be a text", |text| Some(text.to_owned()));
    let why = members.need("why", why);
    number.zip(why)
}

pub async fn export(call: Call) -> Answered {
    let mut members = call.members();
    let asked = asked(&mut members);
    let (number, why) = members.end(asked)?;
    let asked = Asked {
        number: &number,
        why: &why,
    };
    let told = person::export(&call.desk(), &call.provider.keys, asked).await?;
    Ok(Answer::json(&told))
}

pub async fn erase(call: Call) -> Answered {
    let mut members = call.members();
    let asked = asked(&mut members);
    let goes = members.may("with_evidence", yes_or_no);
    let (number, why) = members.end(asked)?;
    let asked = Asked {
        number: &number,
        why: &why,
    };
    let evidence = match goes {
        Some(true) => Evidence::Goes,
        Some(false) | None => Evidence::Stays,
    };
    let provider = &call.provider;
    let mut outcome = person::erase(&call.desk(), &provider.keys, asked, evidence)
        .await
        .map_err(Problem::from)?;
    let notices = std::mem::take(&mut outcome.notices);
    delivery::tell(provider, notices).await;
    Ok(Answer::json(&json!(outcome)))
}

fn yes_or_no(value: Value) -> Reading<bool> {
    value
        .as_bool()
        .ok_or_else(|| "must be true or false".to_owned())
}
