//! A host of a fleet, without its network: it asks at a local socket as a program asks the broker, and a thread hands each question to a
//! server. In the place of twofactor-link and TLS.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use tokio::runtime::Runtime;
use twofactor_core::host::trusted::Owner;
use twofactor_core::store::broker::Broker;
use twofactor_core::store::wire::{LARGEST_QUESTION, Message};
use twofactor_server::{Host, Server};

/// A host, and the socket at which it asks.
pub(crate) struct Asking {
    folder: tempfile::TempDir,
}

impl Asking {
    /// The host called `name`, whose questions go to the servers in turn.
    pub(crate) fn new(name: &str, may_enroll: bool, servers: &[Arc<Server>], runtime: &Arc<Runtime>) -> Self {
        Self::of(Host { may_enroll, enrollments_per_hour: 1_000_000, ..Host::named(name) }, servers, runtime)
    }

    /// This host, whose questions go to the servers in turn.
    pub(crate) fn of(host: Host, servers: &[Arc<Server>], runtime: &Arc<Runtime>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        let listener = UnixListener::bind(folder.path().join("socket")).unwrap();
        let (servers, runtime, turn) = (servers.to_vec(), Arc::clone(runtime), AtomicUsize::new(0));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let server = Arc::clone(&servers[turn.fetch_add(1, Ordering::Relaxed) % servers.len()]);
                let (host, runtime) = (host.clone(), Arc::clone(&runtime));
                thread::spawn(move || relay(stream, &host, &server, &runtime));
            }
        });
        Self { folder }
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    /// The central store, as a login on this host sees it.
    pub(crate) fn store(&self) -> Broker {
        let owner = Owner(nix::unistd::geteuid().as_raw());
        Broker::new(&self.socket(), owner, Duration::from_secs(30))
    }
}

fn relay(mut stream: UnixStream, host: &Host, server: &Server, runtime: &Runtime) {
    while let Some(question) = framed(&mut stream) {
        let Ok(answer) = runtime.block_on(server.answer(host, &question)) else { return };
        if stream.write_all(&answer.framed().unwrap()).is_err() {
            return;
        }
    }
}

fn framed(stream: &mut UnixStream) -> Option<Vec<u8>> {
    let mut header = [0; 4];
    stream.read_exact(&mut header).ok()?;
    let mut line = vec![0; Message::length(header, LARGEST_QUESTION).ok()?];
    stream.read_exact(&mut line).ok()?;
    Some(line)
}
