//! Forms with files (RFC 7578), read as any other form: a file is a field whose text is the file as a `data:`
//! URL. So what is done with a picture does not depend on the door that it came by, and a form that must be sent
//! once more has it still.

use actix_web::web::Bytes;
use futures_util::stream;

use super::input::{MOST_FIELDS, Request, Unreadable, is_sound};
use crate::client::logo::data_url;
use crate::client::mistake::Reason;

/// The fields of a form, whichever of the two kinds it is.
pub async fn fields(request: &Request) -> Result<Vec<(String, String)>, Unreadable> {
    if !request.is_of("multipart/form-data") {
        return request.fields();
    }
    let content_type = request.header("content-type").unwrap_or_default();
    let boundary = multer::parse_boundary(content_type).map_err(|_| BROKEN)?;
    let body = Ok::<Bytes, std::convert::Infallible>(request.bytes());
    let mut parts = multer::Multipart::new(stream::iter([body]), boundary);
    let mut fields = Vec::new();
    while let Some(part) = parts.next_field().await.map_err(|_| BROKEN)? {
        let name = part.name().map(str::to_owned).ok_or(BROKEN)?;
        let is_file = part.file_name().is_some();
        let bytes = part.bytes().await.map_err(|_| BROKEN)?;
        let value = match (is_file, bytes.is_empty()) {
            // Nothing was chosen.
            (_, true) => String::new(),
            // What it is, is found out from what is in it, and not from what its name or its sender says.
            (true, false) => data_url(&bytes),
            (false, false) => String::from_utf8(bytes.to_vec()).map_err(|_| BROKEN)?,
        };
        if !is_sound(&name) || !is_sound(&value) || fields.len() == MOST_FIELDS {
            return Err(BROKEN);
        }
        fields.push((name, value));
    }
    Ok(fields)
}

const BROKEN: Unreadable = Unreadable(
    "the form is not whole, is not UTF-8, or has too many fields",
    Reason::BodyUnreadable,
);
