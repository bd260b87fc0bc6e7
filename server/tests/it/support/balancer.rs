//! A plain TCP balancer: takes connections, gives each to the next server that can be reached, and
//! copies bytes. It knows nothing of HTTP and nothing of health.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

/// Starts one in front of `servers`; returns its address.
pub(crate) async fn start(servers: [SocketAddr; 2]) -> SocketAddr {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serve = async move {
        while let Ok((mut visitor, _)) = listener.accept().await {
            let turn = NEXT.fetch_add(1, Ordering::Relaxed);
            let pass = async move {
                for number in 0..servers.len() {
                    let server = servers[(turn + number) % servers.len()];
                    if let Ok(mut server) = TcpStream::connect(server).await {
                        // Either side may break off at any time.
                        let _ = copy_bidirectional(&mut visitor, &mut server).await;
                        return;
                    }
                }
            };
            #[expect(clippy::disallowed_methods, reason = "a test's own machinery")]
            tokio::spawn(pass);
        }
    };
    #[expect(clippy::disallowed_methods, reason = "a test's own machinery")]
    tokio::spawn(serve);
    address
}
