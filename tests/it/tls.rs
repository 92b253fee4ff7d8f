//! What the listeners take of TLS, by hellos of clients that no library makes any more.

use std::net::SocketAddr;

use portvakt::shows;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::chromium::app;
use crate::support::run;

const TLS_1_0: u16 = 0x0301;
const TLS_1_1: u16 = 0x0302;
const TLS_1_2: u16 = 0x0303;
/// Elliptic-curve Diffie–Hellman with AES-GCM and with ChaCha20, for either kind of certificate.
const STRONG: [[u16; 2]; 3] = [[0xc02b, 0xc02f], [0xc02c, 0xc030], [0xcca9, 0xcca8]];
/// CBC, RC4, 3DES, keys without forward secrecy, no encryption, no authentication.
const WEAK: [u16; 11] = [
    0xc009, 0xc013, 0xc023, 0xc027, 0xc00a, 0x009c, 0x002f, 0x0005, 0x000a, 0x003b, 0xc017,
];

/// RFC 5246 §7.4.1.2: a hello without `supported_versions`, so that its version is the newest.
fn hello(version: u16, suites: &[u16]) -> Vec<u8> {
    fn sized(length: usize, width: usize) -> Vec<u8> {
        length.to_be_bytes()[8 - width..].to_vec()
    }
    fn list(width: usize, bytes: Vec<u8>) -> Vec<u8> {
        [sized(bytes.len(), width), bytes].concat()
    }
    let numbers =
        |numbers: &[u16]| -> Vec<u8> { numbers.iter().flat_map(|n| n.to_be_bytes()).collect() };
    let extension =
        |kind: u16, body: Vec<u8>| [kind.to_be_bytes().to_vec(), list(2, body)].concat();
    let extensions = [
        // supported_groups, ec_point_formats, signature_algorithms.
        extension(10, list(2, numbers(&[0x001d, 0x0017]))),
        extension(11, list(1, vec![0])),
        extension(13, list(2, numbers(&[0x0403, 0x0804, 0x0401]))),
    ]
    .concat();
    let body = [
        version.to_be_bytes().to_vec(),
        vec![7; 32],
        list(1, Vec::new()),
        list(2, numbers(suites)),
        list(1, vec![0]),
        list(2, extensions),
    ]
    .concat();
    let handshake = [vec![1], list(3, body)].concat();
    [vec![22, 3, 1], list(2, handshake)].concat()
}

/// The kind of the first record that comes back, and for an alert what it says.
async fn answered(to: SocketAddr, hello: &[u8]) -> (u8, Option<u8>) {
    let mut stream = TcpStream::connect(to).await.expect("connected");
    stream.write_all(hello).await.expect("sent");
    let mut record = [0; 7];
    stream.read_exact(&mut record).await.expect("an answer");
    (record[0], (record[0] == 21).then_some(record[6]))
}

const HANDSHAKE: (u8, Option<u8>) = (22, None);
const PROTOCOL_VERSION: (u8, Option<u8>) = (21, Some(70));
const HANDSHAKE_FAILURE: (u8, Option<u8>) = (21, Some(40));

#[test]
fn old_versions_and_weak_suites_are_refused() {
    run(async {
        let _shows = shows!(accepting "GE-01", refusing "GE-01");
        let app = app().await;
        let port = url::Url::parse(&app.issuer).expect("an address").port();
        let to = SocketAddr::from(([127, 0, 0, 1], port.expect("a port")));
        let all: Vec<u16> = STRONG.concat();
        for suites in STRONG {
            assert_eq!(
                answered(to, &hello(TLS_1_2, &suites)).await,
                HANDSHAKE,
                "{suites:x?}"
            );
        }
        for old in [TLS_1_0, TLS_1_1] {
            assert_eq!(answered(to, &hello(old, &all)).await, PROTOCOL_VERSION);
            assert_eq!(answered(to, &hello(old, &WEAK)).await, PROTOCOL_VERSION);
        }
        assert_eq!(
            answered(to, &hello(TLS_1_2, &WEAK)).await,
            HANDSHAKE_FAILURE
        );
        for suite in WEAK {
            let refused = answered(to, &hello(TLS_1_2, &[suite])).await;
            assert_eq!(refused, HANDSHAKE_FAILURE, "{suite:x}");
        }
    });
}
