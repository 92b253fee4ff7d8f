//! A site that Apache serves, behind `mod_auth_openidc`.

use std::process::Command;

use portvakt::shows;

use super::program::Program;
use super::{at, identify, orders, set_up, until_it_asks, with_browser};
use crate::support::phone::TOLVAN;

/// Apache's modules on Debian.
const MODULES: &str = "/usr/lib/apache2/modules";

/// Everything around what is pasted.
fn configuration(place: &str, port: u16, pages: &str, pasted: &str) -> String {
    let modules: String = [
        "mpm_event",
        "authn_core",
        "authz_core",
        "authz_user",
        "mime",
        "dir",
        "env",
        "include",
        "ssl",
        "socache_shmcb",
        "auth_openidc",
    ]
    .map(|name| format!("LoadModule {name}_module {MODULES}/mod_{name}.so\n"))
    .concat();
    let pasted = pasted.replace(
        "PASTE-A-RANDOM-PASSPHRASE-HERE",
        "a-passphrase-of-the-tests-that-is-long-enough",
    );
    format!(
        r#"ServerRoot "{place}"
PidFile "{place}/apache.pid"
ErrorLog "/dev/stderr"
LogLevel notice auth_openidc:info
DefaultRuntimeDir "{place}"
TypesConfig /dev/null
Listen 127.0.0.1:{port}
ServerName site.kommunen.example
User www-data
Group www-data
{modules}
DocumentRoot "{place}/site"
DirectoryIndex index.shtml
AddType text/html .shtml
AddOutputFilter INCLUDES .shtml
<Directory "{place}/site">
  Options +Includes
</Directory>
SSLEngine on
SSLCertificateFile "{pages}/pages.pem"
SSLCertificateKeyFile "{pages}/pages.key"
OIDCCABundlePath "{place}/root.pem"
{pasted}"#
    )
}

const PAGE: &str = r#"<!doctype html><title>Site</title>
<p id="person"><!--#echo var="OIDC_CLAIM_name" --> <!--#echo var="OIDC_CLAIM_personal_number" --></p>
"#;

#[test]
fn a_site_of_apache_logs_people_in_and_hears_of_logouts() {
    with_browser(async |app, browser| {
        let _shows = shows!(accepting "PV-WIRED-3", refusing "PV-WIRED-3");
        let (url, port) = super::address("site");
        let answers = ["client_name=Webbplatsen", &format!("address={url}")];
        let pasted = set_up(&app, "site", "mod_auth_openidc", &answers);
        // Its processes are another user's.
        let place = tempfile::tempdir().expect("a folder");
        let at_place = |name: &str| place.path().join(name);
        std::fs::create_dir(at_place("site")).expect("made");
        let pages = app.directory.path();
        std::fs::copy(pages.join("pages-root.pem"), at_place("root.pem")).expect("copied");
        std::fs::write(at_place("site/index.shtml"), PAGE).expect("written");
        let text = configuration(
            &place.path().display().to_string(),
            port,
            &pages.display().to_string(),
            at(&pasted, "Apache"),
        );
        std::fs::write(at_place("apache.conf"), text).expect("written");
        let opened = Command::new("chmod")
            .args(["-R", "a+rX"])
            .arg(place.path())
            .status();
        assert!(opened.expect("it runs").success());
        let mut command = Command::new("/usr/sbin/apache2");
        command
            .arg("-f")
            .arg(at_place("apache.conf"))
            .arg("-DFOREGROUND");
        let mut apache = Program::start(&app, "apache", command);
        apache.until_it_says("resuming normal operations").await;
        browser.go(&url).await;
        browser.see("button[value=other]").await;
        identify(&browser, &app).await;
        browser.read("Tolvan Tolvansson").await;
        assert!(browser.text().await.contains(TOLVAN));
        assert_eq!(orders(&app).await, 1);

        // A logout here reaches the site.
        browser.go(&format!("{}/logout", app.issuer)).await;
        browser.press("#log-out-here").await;
        browser.read("Du är utloggad").await;
        until_it_asks(&browser, &url).await;

        // A logout at the site ends the session here and comes home, where the person is asked again.
        identify(&browser, &app).await;
        browser.read("Tolvan Tolvansson").await;
        let home =
            url::form_urlencoded::byte_serialize(format!("{url}/").as_bytes()).collect::<String>();
        browser
            .go(&format!("{url}/oidc/redirect_uri?logout={home}"))
            .await;
        browser.see("button[value=other]").await;
        assert_eq!(orders(&app).await, 2);
    });
}
