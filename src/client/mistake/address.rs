//! How an address that came differs from those that are registered.

use url::{Position, Url};

use super::received::shown;

/// In what alone an address differs from the nearest registered one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    /// In nothing but how it is written.
    Spelling,
    /// In the slash at the end of the path.
    Slash,
    /// In upper and lower case of the path.
    Case,
    /// In percent-encoding of the path.
    Escaping,
    /// In the query.
    Query,
    /// In a fragment.
    Fragment,
    /// In the port.
    Port,
    /// In http and https.
    Scheme,
    /// In a `www.` in front of the host.
    Www,
    /// In the rest of the path.
    Path,
    /// In the host.
    Host,
    /// In more than one of these.
    More,
    /// It is no absolute address.
    Relative,
}

impl Difference {
    /// In a word or two, where no sentence is at hand.
    pub fn as_str(self) -> &'static str {
        match self {
            Difference::Spelling => "another spelling",
            Difference::Slash => "differs only in the trailing slash",
            Difference::Case => "differs only in the case of the path",
            Difference::Escaping => "differs only in percent-encoding",
            Difference::Query => "differs only in the query",
            Difference::Fragment => "differs only in the fragment",
            Difference::Port => "differs only in the port",
            Difference::Scheme => "differs only in http or https",
            Difference::Www => "differs only in www",
            Difference::Path => "differs only in the path",
            Difference::Host => "differs only in the host",
            Difference::More => "not registered",
            Difference::Relative => "no absolute address",
        }
    }
}

/// What a comparison found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared<'a> {
    /// In what they differ.
    pub difference: Difference,
    /// The registered address that is meant, as far as one can tell.
    pub nearest: &'a str,
    /// The names of the parameters that differ.
    pub names: Vec<String>,
}

/// The nearest of the registered addresses; `None` where none is registered.
pub fn compare<'a>(received: &str, registered: &[&'a str]) -> Option<Compared<'a>> {
    let Ok(url) = Url::parse(received) else {
        return registered.first().map(|nearest| Compared {
            difference: Difference::Relative,
            nearest,
            names: Vec::new(),
        });
    };
    let rank = |candidate: &&&str| {
        let Ok(other) = Url::parse(candidate) else {
            return (usize::MAX, 0);
        };
        let alike = received.bytes().zip(candidate.bytes());
        let alike = alike.take_while(|(a, b)| a == b).count();
        (parts(&url, &other).len(), usize::MAX - alike)
    };
    let nearest: &'a str = registered.iter().min_by_key(rank)?;
    let other = Url::parse(nearest).ok()?;
    Some(Compared {
        difference: difference(&url, &other),
        nearest,
        names: names(&url, &other),
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Scheme,
    Host,
    Port,
    Path,
    Query,
    Fragment,
}

fn parts(one: &Url, other: &Url) -> Vec<Part> {
    let differs = [
        (Part::Scheme, one.scheme() != other.scheme()),
        (Part::Host, one.host_str() != other.host_str()),
        (Part::Port, one.port() != other.port()),
        (Part::Path, one.path() != other.path()),
        (Part::Query, one.query() != other.query()),
        (Part::Fragment, one.fragment() != other.fragment()),
    ];
    let differing = differs.into_iter().filter(|(_, differs)| *differs);
    differing.map(|(part, _)| part).collect()
}

fn difference(one: &Url, other: &Url) -> Difference {
    match parts(one, other)[..] {
        [] => Difference::Spelling,
        [Part::Scheme] => Difference::Scheme,
        [Part::Port] => Difference::Port,
        [Part::Query] => Difference::Query,
        [Part::Fragment] => Difference::Fragment,
        [Part::Host] => {
            let bare = |url: &Url| {
                let host = url.host_str().unwrap_or_default();
                host.strip_prefix("www.").unwrap_or(host).to_owned()
            };
            match bare(one) == bare(other) {
                true => Difference::Www,
                false => Difference::Host,
            }
        }
        [Part::Path] => path_difference(one.path(), other.path()),
        _ => Difference::More,
    }
}

fn path_difference(one: &str, other: &str) -> Difference {
    let decoded = |text: &str| percent_encoding::percent_decode_str(text).collect::<Vec<u8>>();
    if one.trim_end_matches('/') == other.trim_end_matches('/') {
        Difference::Slash
    } else if one.eq_ignore_ascii_case(other) {
        Difference::Case
    } else if decoded(one) == decoded(other)
        || decoded(one) == other.as_bytes()
        || one.as_bytes() == decoded(other)
    {
        Difference::Escaping
    } else {
        Difference::Path
    }
}

/// How many names are told.
const NAMES: usize = 5;

/// The names of parameters that are on one side alone, or have other values.
fn names(one: &Url, other: &Url) -> Vec<String> {
    let pairs = |url: &Url| url.query_pairs().into_owned().collect::<Vec<_>>();
    let (one, other) = (pairs(one), pairs(other));
    let mut names: Vec<String> = Vec::new();
    let differing = one.iter().filter(|pair| !other.contains(pair));
    for (name, _) in differing.chain(other.iter().filter(|pair| !one.contains(pair))) {
        let name = shown(name);
        if !names.contains(&name) && names.len() < NAMES {
            names.push(name);
        }
    }
    names
}

/// An address without what may be somebody's: no user, no query and no fragment.
pub fn reduced(address: &str) -> String {
    let Ok(mut url) = Url::parse(address) else {
        return shown(address.split(['?', '#']).next().unwrap_or_default());
    };
    // One or the other fails where an address has no host, and then there is no user in it.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    // As it was written, where it can be told: a slash or a case must not get lost.
    let written = address.split(['?', '#']).next().unwrap_or_default();
    let address = match written.contains('@') {
        true => &url[..Position::AfterPath],
        false => written,
    };
    // What is hidden in plain text is hidden in percent-encoding, too.
    let decoded = percent_encoding::percent_decode_str(address).decode_utf8_lossy();
    match shown(&decoded) == decoded {
        true => shown(address),
        false => shown(&decoded),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_thing_that_differs_is_found() {
        let registered = [
            "https://app.example/cb?a=1",
            "https://other.example/Callback",
        ];
        for (received, difference, nearest) in [
            ("https://app.example:443/cb?a=1", Difference::Spelling, 0),
            ("https://APP.example/cb?a=1", Difference::Spelling, 0),
            ("https://app.example/cb/?a=1", Difference::Slash, 0),
            ("https://app.example/CB?a=1", Difference::Case, 0),
            ("https://app.example/%63b?a=1", Difference::Escaping, 0),
            ("https://app.example/cb", Difference::Query, 0),
            ("https://app.example/cb?a=1&b=2", Difference::Query, 0),
            ("https://app.example/cb?a=1#x", Difference::Fragment, 0),
            ("https://app.example:8443/cb?a=1", Difference::Port, 0),
            ("http://app.example/cb?a=1", Difference::Scheme, 0),
            ("https://www.app.example/cb?a=1", Difference::Www, 0),
            ("https://test.example/cb?a=1", Difference::Host, 0),
            ("https://app.example/oidc/cb?a=1", Difference::Path, 0),
            ("https://other.example/callback", Difference::Case, 1),
            ("https://other.example/Callback/", Difference::Slash, 1),
            ("http://else.example/x", Difference::More, 0),
            ("/cb", Difference::Relative, 0),
        ] {
            let compared = compare(received, &registered).expect("compared");
            assert_eq!(compared.difference, difference, "{received}");
            if difference != Difference::More {
                assert_eq!(compared.nearest, registered[nearest], "{received}");
            }
        }
        assert_eq!(compare("https://app.example/cb", &[]), None);
    }

    #[test]
    fn of_parameters_only_names_are_told_and_of_users_nothing() {
        let compared = compare(
            "https://app.example/cb?a=1&tok=secret-value&b=2",
            &["https://app.example/cb?a=1&b=1"],
        )
        .expect("compared");
        assert_eq!(compared.names, ["tok", "b"]);
        for (received, kept) in [
            (
                "https://u:secret@app.example/cb/?x=secret#secret",
                "https://app.example/cb/",
            ),
            (
                "https://APP.example:443/Cb?x=secret",
                "https://APP.example:443/Cb",
            ),
            ("se.app:/cb?x=secret", "se.app:/cb"),
            ("cb?x=secret", "cb"),
            (
                "https://app.example/%319121212-1212",
                "https://app.example/[hidden]",
            ),
            ("https://app.example/%63b", "https://app.example/%63b"),
        ] {
            assert_eq!(reduced(received), kept);
        }
    }
}
