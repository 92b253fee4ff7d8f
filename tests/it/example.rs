//! The example configuration is one that works.

use portvakt::clock::Clock;
use portvakt::config::Config;
use portvakt::random::Random;
use portvakt::shows;
use portvakt::simulator::certificates::Authority;

#[test]
fn the_example_configuration_holds_together() {
    let _shows = shows!(accepting "PV-CONFIG-1");
    let directory = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: &str| {
        use std::os::unix::fs::PermissionsExt;
        let file = directory.path().join(name);
        std::fs::write(&file, text).expect("written");
        let private = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&file, private).expect("set");
    };
    let bank = Authority::new("A bank", &Random::system(), Clock::system().now()).expect("made");
    let party = bank.relying_party("Kommunen").expect("made");
    write(
        "portvakt.toml",
        include_str!("../../examples/portvakt.toml"),
    );
    write(
        "master.key",
        "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n",
    );
    write("relying-party.pem", &party.certificate_pem());
    write("relying-party.key", &party.key_pem());
    write("kommunen.secret", &format!("{}\n", "s".repeat(43)));
    let config = Config::read(&directory.path().join("portvakt.toml")).expect("a good example");
    assert_eq!(config.issuer.url, "https://login.example.se");
    assert_eq!(config.clients.len(), 1);
    let admin = config.admin.expect("a section");
    assert_eq!(admin.address.url, "https://admin.login.example.se");
    assert!(!admin.second_approver);
    assert_eq!(
        config.bankid.base.as_str(),
        "https://appapi2.bankid.com/rp/v6.0/"
    );
    assert_eq!(
        config.bankid.worth,
        portvakt::bankid::environment::Worth::Real
    );
}
