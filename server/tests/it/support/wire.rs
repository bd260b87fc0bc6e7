//! A wire to the database that can be frozen: connections stand and are accepted, the machine at its
//! other end acknowledges whatever is sent, and nothing arrives. So looks a database whose machine is
//! paused, whose disk hangs, or that a proxy has lost.

use std::net::SocketAddr;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

pub(crate) struct Wire {
    pub(crate) address: SocketAddr,
    frozen: watch::Sender<bool>,
}

impl Wire {
    /// One that leads to `to`, `host:port`.
    pub(crate) async fn to(to: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, frozen) = (listener.local_addr().unwrap(), watch::Sender::new(false));
        let (to, is_frozen) = (to.to_owned(), frozen.subscribe());
        let serve = async move {
            while let Ok((near, _)) = listener.accept().await {
                let (to, is_frozen) = (to.clone(), is_frozen.clone());
                let pass = async move {
                    let far = TcpStream::connect(to).await.unwrap();
                    let ((near_in, near_out), (far_in, far_out)) =
                        (near.into_split(), far.into_split());
                    tokio::join!(
                        copy(near_in, far_out, is_frozen.clone()),
                        copy(far_in, near_out, is_frozen)
                    );
                };
                #[expect(clippy::disallowed_methods, reason = "a test's own machinery")]
                tokio::spawn(pass);
            }
        };
        #[expect(clippy::disallowed_methods, reason = "a test's own machinery")]
        tokio::spawn(serve);
        Self { address, frozen }
    }

    pub(crate) fn freeze(&self) {
        self.frozen.send_replace(true);
    }

    pub(crate) fn thaw(&self) {
        self.frozen.send_replace(false);
    }
}

async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut is_frozen: watch::Receiver<bool>,
) {
    let mut bytes = vec![0; 64 * 1024];
    // Either side may break off at any time.
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        if is_frozen.wait_for(|frozen| !frozen).await.is_err()
            || to.write_all(&bytes[..count]).await.is_err()
        {
            break;
        }
    }
}
