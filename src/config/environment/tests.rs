use std::path::Path;

use super::*;
use crate::config::Config;

const EXAMPLE: &str = include_str!("../../../examples/portvakt.toml");

fn of(variables: &[(&str, &str)]) -> Variables {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    variables.iter().map(owned).collect()
}

/// What a file is with these variables, or what is wrong.
fn read_with(text: &str, variables: &[(&str, &str)]) -> Result<Written, String> {
    let mut found = Findings::default();
    let said = said(&of(variables), &mut found);
    let problems = Problems::from(found);
    match problems.0.is_empty() {
        true => read(text, &said)
            .map(|(written, _)| written)
            .map_err(|p| p.to_string()),
        false => Err(problems.to_string()),
    }
}

#[test]
fn a_variable_stands_in_the_place_of_a_key() {
    let _shows = crate::shows!(accepting "PV-CONFIG-12");
    let written = read_with(
        EXAMPLE,
        &[
            ("PORTVAKT_ISSUER", "https://other.example.se"),
            ("PORTVAKT_LISTEN__ADDRESS", "127.0.0.1:9000"),
            ("PORTVAKT_LISTEN__TRUSTED_PROXIES", "10.0.0.0/8, fd00::/8"),
            ("PORTVAKT_KEYS__ANNOUNCE_DAYS", "7"),
            ("PORTVAKT_PAGES__CARE_NOTICE", "false"),
            ("PORTVAKT_BANKID__ENVIRONMENT", "test"),
            ("PORTVAKT_NODE__ID", "node-1"),
            ("PORTVAKT_DATABASE__URL", ""),
            // Other programs' own.
            ("PORTVAKT_SERVICE_HOST", "10.0.0.1"),
            ("PORTVAKT_PORT_8080_TCP_ADDR", "10.0.0.1"),
            ("PORTVAKT_ADMIN_SERVICE_PORT", "8081"),
        ],
    );
    let written = written.expect("read");
    assert_eq!(written.issuer, "https://other.example.se");
    assert_eq!(written.listen.address.port(), 9000);
    assert_eq!(written.listen.trusted_proxies.len(), 2);
    assert_eq!(written.keys.announce_days, 7);
    assert!(!written.pages.care_notice);
    assert_eq!(written.bankid.environment.word(), "test");
    assert_eq!(written.node.id.as_deref(), Some("node-1"));
    assert_eq!(written.database.url, "sqlite:portvakt.db");
    // What the file does not say stays as it is without.
    assert_eq!(written.keys.rotate_days, 90);
    // A file with nothing in it is enough.
    let all = read_with(
        "",
        &[
            ("PORTVAKT_ISSUER", "https://login.example.se"),
            ("PORTVAKT_BANKID__ENVIRONMENT", "production"),
            ("PORTVAKT_BANKID__CERTIFICATE_FILE", "party.p12"),
            ("PORTVAKT_ADMIN__URL", "https://admin.example.se"),
        ],
    );
    let all = all.expect("read");
    assert_eq!(
        all.admin.expect("a section").url,
        "https://admin.example.se"
    );
}

#[test]
fn every_key_can_be_said_with_what_it_is_without() {
    let _shows = crate::shows!(accepting "PV-CONFIG-12");
    let mut variables = Variables::new();
    for key in keys().iter().filter(|key| key.is_in_environment) {
        let text = match &key.default {
            Some(serde_json::Value::String(text)) => text.clone(),
            Some(serde_json::Value::Array(_)) | None => continue,
            Some(other) => other.to_string(),
        };
        // These sections need an address of their own.
        if !["admin.", "traces."]
            .iter()
            .any(|section| key.name.starts_with(section))
        {
            variables.insert(variable(&key.name), text);
        }
    }
    assert!(variables.len() > 15, "{}", variables.len());
    let variables: Vec<_> = variables
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    read_with(EXAMPLE, &variables).expect("read");
}

#[test]
fn a_secret_of_the_wrong_type_is_refused_and_not_shown() {
    let _shows = crate::shows!(refusing "PV-CONFIG-12");
    let digits = "client_secret = 1234567890123456";
    for (text, secret, told) in [
        (
            "[keys]\nformer_master_keys = \"AAAA, expected \\\"BBBB\"",
            ["AAAA", "BBBB"],
            "line 2: invalid type: string, expected a sequence",
        ),
        (
            "[keys]\nmaster_key = 1234567890123456",
            ["123456"; 2],
            "line 2: invalid type: integer, expected a string",
        ),
        (
            &format!("[[client]]\nclient_id = \"a\"\n{digits}"),
            ["123456"; 2],
            "invalid type: integer, expected a string",
        ),
    ] {
        let refused = read_with(text, &[]).expect_err("refused");
        assert!(refused.contains(told), "{refused}");
        assert!(
            !secret.iter().any(|part| refused.contains(part)),
            "{refused}"
        );
    }
}

#[test]
fn a_variable_that_is_no_text_is_refused_and_not_shown() {
    use std::os::unix::ffi::OsStringExt;
    let _shows = crate::shows!(refusing "PV-CONFIG-12");
    let all = |variables: &[(&[u8], &[u8])]| {
        let owned = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
        let variables = variables.iter();
        let variables: Vec<_> = variables.map(|(n, v)| (owned(n), owned(v))).collect();
        decoded(variables.into_iter()).map_err(|problems| problems.to_string())
    };
    let sound = (&b"PORTVAKT_ISSUER"[..], &b"https://a.example"[..]);
    // Others' variables, and a path, are what they like.
    let others = [
        sound,
        (b"OTHER\xff", b"\xff"),
        (b"PORTVAKT_CONFIG", b"/etc/\xe5.toml"),
    ];
    let read = all(&others).expect("read");
    assert_eq!(read, of(&[("PORTVAKT_ISSUER", "https://a.example")]));
    for (name, told) in [
        (&b"PORTVAKT_MASTER_KEY"[..], "PORTVAKT_MASTER_KEY"),
        (b"PORTVAKT_DATABASE__URL", "PORTVAKT_DATABASE__URL"),
        (b"PORTVAKT_\x1b\xff", "PORTVAKT_\\u{1b}\u{fffd}"),
    ] {
        let refused = all(&[sound, (name, b"hidden\xff")]).expect_err(told);
        assert_eq!(refused, format!("{told}: is not valid UTF-8"));
    }
}

#[test]
fn a_probe_reads_one_address_and_no_secret() {
    // Neither the files that it names, nor its other keys, need be there or right.
    let text =
        "[ops]\naddress = \"127.0.0.1:9464\"\n[keys]\nmaster_key_file = \"none\"\nunknown = 1\n";
    let address = ops_address(text).expect("read");
    assert_eq!(address.expect("one").port(), 9464);
    assert!(ops_address("").expect("read").is_none());
    let wrong = ops_address("\n[ops]\naddress = \"x\"").expect_err("no address");
    assert!(wrong.reason.starts_with("line 3"), "{wrong}");
}

#[test]
fn what_a_variable_says_wrong_is_told_by_its_name() {
    let _shows = crate::shows!(refusing "PV-CONFIG-12");
    for (name, value, told) in [
        (
            "PORTVAKT_DATABASE__ULR",
            "x",
            "is no key's variable: `portvakt config reference` lists them",
        ),
        ("PORTVAKT_DATABASE_URL", "x", "write PORTVAKT_DATABASE__URL"),
        (
            "PORTVAKT_KEYS_MASTER_KEY_FILE",
            "x",
            "write PORTVAKT_KEYS__MASTER_KEY_FILE",
        ),
        (
            "PORTVAKT_KEYS__MASTER__KEY",
            "x",
            "write PORTVAKT_KEYS__MASTER_KEY",
        ),
        (
            "PORTVAKT_CLIENT__CLIENT_ID",
            "x",
            "clients are written in the file",
        ),
        (
            "PORTVAKT_BANKID__PROFILE__TAX__KEY_FILE",
            "x",
            "is no key's variable",
        ),
        (
            "PORTVAKT_KEYS__ANNOUNCE_DAYS",
            "x",
            "must be a whole number",
        ),
        ("PORTVAKT_KEYS__ANNOUNCE_DAYS", "70000", "70000"),
        (
            "PORTVAKT_PAGES__CARE_NOTICE",
            "yes",
            "must be true or false",
        ),
        ("PORTVAKT_LISTEN__ADDRESS", "here", "invalid socket address"),
        (
            "PORTVAKT_LISTEN__TRUSTED_PROXIES",
            "10.0.0.0/8,here",
            "invalid IP address",
        ),
        ("PORTVAKT_BANKID__ENVIRONMENT", "prod", "unknown variant"),
        (
            "PORTVAKT_MTLS__CERTIFICATE_HEADER",
            "Client-Cert",
            "missing field `url`",
        ),
    ] {
        let read = read_with(EXAMPLE, &[(name, value)]);
        let problem = read.expect_err(name);
        assert!(problem.starts_with(&format!("{name}: ")), "{problem}");
        assert!(problem.contains(told), "{problem}");
    }
    // What is wrong in the file is still told by its line.
    let wrong = EXAMPLE.replace("address = \"127.0.0.1:8080\"", "address = 1");
    let line = EXAMPLE.lines().position(|line| line.starts_with("address"));
    let line = line.expect("a line") + 1;
    let problem = read_with(&wrong, &[("PORTVAKT_NODE__ID", "a")]).expect_err("refused");
    assert!(
        problem.starts_with(&format!("file: line {line}: ")),
        "{problem}"
    );
    // What is refused later says where it comes from, and what the file says does not.
    let read = |variables: &[(&str, &str)]| {
        let read = Config::parse_with(EXAMPLE, Path::new("."), &of(variables));
        read.expect_err("it lacks files").to_string()
    };
    let problems = read(&[("PORTVAKT_ISSUER", "http://login.example.se")]);
    assert!(
        problems.contains(
            "issuer: must be https (http is for localhost alone) (PORTVAKT_ISSUER says it)"
        ),
        "{problems}"
    );
    assert!(!read(&[]).contains("says it"));
    // A value is never told of.
    let problems = read(&[("PORTVAKT_KEYS__MASTER_KEY", "a-secret-that-is-none")]);
    assert!(
        problems.contains("exclude each other") && !problems.contains("a-secret"),
        "{problems}"
    );
}

#[test]
fn an_address_with_a_password_stands_in_a_file_of_its_own() {
    let _shows = crate::shows!(accepting "PV-CONFIG-13", refusing "PV-CONFIG-13");
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("url");
    std::fs::write(&file, "postgres://a:b@127.0.0.1/c\n").expect("written");
    let mode = |mode| std::os::unix::fs::PermissionsExt::from_mode(mode);
    let set = |to| std::fs::set_permissions(&file, mode(to)).expect("set");
    set(0o600);
    let problems = |line: &str, variables: &[(&str, &str)]| {
        let text = EXAMPLE.replace("url = \"sqlite:portvakt.db\"", line);
        assert_ne!(text, EXAMPLE);
        let read = Config::parse_with(&text, directory.path(), &of(variables));
        read.expect_err("it lacks files").to_string()
    };
    assert!(!problems("url_file = \"url\"", &[]).contains("database"));
    assert!(!problems("", &[("PORTVAKT_DATABASE__URL_FILE", "url")]).contains("database"));
    let both = problems("url = \"sqlite:a.db\"\nurl_file = \"url\"", &[]);
    assert!(
        both.contains("database.url_file: url and url_file exclude each other"),
        "{both}"
    );
    let none = problems("url_file = \"none\"", &[]);
    assert!(
        none.contains("database.url_file: url_file none: "),
        "{none}"
    );
    set(0o644);
    let open = problems("url_file = \"url\"", &[]);
    assert!(
        open.contains("database.url_file: url can be read by everybody"),
        "{open}"
    );
    set(0o600);
    std::fs::write(&file, "mysql://x").expect("written");
    let other = problems("url_file = \"url\"", &[]);
    assert!(
        other.contains("database.url_file: must begin with sqlite: or postgres:"),
        "{other}"
    );
}
