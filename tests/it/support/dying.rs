//! A node that dies at the end of a login, seen from whatever stands in front of it: it has the request, and gives no
//! answer.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::cluster::Place;
use super::ports;

/// When it dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// It had done nothing yet.
    Before,
    /// It had done it, and could not say so any more.
    After,
}

/// Three ways to one node, of which the next that is sent the end of a login dies.
pub struct Dying {
    pub places: [Place; 3],
    next: Arc<Mutex<Option<Death>>>,
}

impl Dying {
    pub async fn before(node: Place) -> Dying {
        let next = Arc::<Mutex<Option<Death>>>::default();
        let mut places = [node; 3];
        for place in &mut places {
            let (listener, port) = ports::awaited();
            place.public = port;
            let next = next.clone();
            tokio::spawn(async move {
                while let Ok((front, _)) = listener.accept().await {
                    let next = next.clone();
                    // However a connection ends, it is no matter of ours.
                    tokio::spawn(async move { serve(front, node, &next).await });
                }
            });
        }
        Dying { places, next }
    }

    /// The next end of a login is this one's death.
    pub fn at_the_next_end(&self, death: Death) {
        *self.next.lock().expect("unpoisoned") = Some(death);
    }

    /// Whether one has died since that was said.
    pub fn has_died(&self) -> bool {
        self.next.lock().expect("unpoisoned").is_none()
    }
}

/// Whether what a proxy sends is the head of such a request: it is sent at once.
fn is_the_end_of_a_login(sent: &[u8]) -> bool {
    let line = sent.split(|byte| *byte == b'\r').next();
    let line = String::from_utf8_lossy(line.unwrap_or_default()).into_owned();
    line.starts_with("GET /login/") && line.contains("/finish ")
}

async fn serve(
    mut front: TcpStream,
    node: Place,
    next: &Mutex<Option<Death>>,
) -> std::io::Result<()> {
    let mut behind = TcpStream::connect(("127.0.0.1", node.public)).await?;
    let (mut asked, mut answered) = ([0; 16 * 1024], [0; 16 * 1024]);
    loop {
        tokio::select! {
            read = front.read(&mut asked) => match read? {
                0 => return Ok(()),
                n => {
                    let sent = &asked[..n];
                    let death = match is_the_end_of_a_login(sent) {
                        true => next.lock().expect("unpoisoned").take(),
                        false => None,
                    };
                    if death == Some(Death::Before) {
                        return Ok(());
                    }
                    behind.write_all(sent).await?;
                    if death == Some(Death::After) {
                        // Its answer has begun: it is done.
                        behind.read_exact(&mut answered[..1]).await?;
                        return Ok(());
                    }
                }
            },
            read = behind.read(&mut answered) => match read? {
                0 => return Ok(()),
                n => front.write_all(&answered[..n]).await?,
            },
        }
    }
}
