//! Memory of a server for the connections that hosts keep.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::site::{SERVERS, Site};
use crate::worker;

/// Connections of one host.
const OF_A_HOST: usize = 50;

/// A question that needs no store.
const HELLO: &[u8] = b" version=1 ask=hello";

/// Bytes of the first server for each of so many connections, over which one question was asked.
pub(crate) fn memory(site: &Site<'_>, count: usize) -> u64 {
    let hosts: Vec<String> = (0..count.div_ceil(OF_A_HOST)).map(|number| format!("kept{number}.example.org")).collect();
    for host in &hosts {
        site.authority.host(host).write_into(&site.folder, host);
    }
    let before = site.memory_of_the_first_server();
    let mut command = Command::new(worker::program(site.host));
    command.arg("fleet-keep").arg(SERVERS[0].1.to_string()).arg(&site.folder).arg(count.to_string()).args(&hosts);
    let mut keeping = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut line = String::new();
    let _ = BufReader::new(keeping.stdout.take().expect("a pipe")).read_line(&mut line);
    assert_eq!(line, "kept\n", "all connections are there");
    let after = site.memory_of_the_first_server();
    drop(keeping.stdin.take());
    let _ = keeping.wait();
    after.saturating_sub(before) / u64::try_from(count).expect("a number fits")
}

/// The process that keeps them, until its input ends.
pub(crate) fn keep(port: u16, folder: &Path, count: usize, hosts: &[&str]) {
    let kept: Vec<_> = (0..count).map(|number| connect(port, folder, hosts[number / OF_A_HOST])).collect();
    println!("kept");
    let _ = std::io::stdin().read(&mut [0]);
    drop(kept);
}

fn connect(port: u16, folder: &Path, host: &str) -> StreamOwned<ClientConnection, TcpStream> {
    let certificate =
        |name: &str| CertificateDer::from_pem_file(folder.join(format!("{name}.pem"))).expect("a certificate");
    let mut roots = RootCertStore::empty();
    roots.add(certificate("ca")).expect("an authority");
    let key = fs::read(folder.join(format!("{host}.key"))).expect("a key");
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![certificate(host)], PrivateKeyDer::from_pem_slice(&key).expect("a key"))
        .expect("a certificate with its key");
    let name = ServerName::try_from("otp1.example.org").expect("a name");
    let connection = ClientConnection::new(Arc::new(config), name).expect("TLS");
    let mut stream = StreamOwned::new(connection, TcpStream::connect(("127.0.0.1", port)).expect("the server listens"));
    let length = u32::try_from(HELLO.len()).expect("a length");
    stream.write_all(&[&length.to_be_bytes()[..], HELLO].concat()).expect("a question");
    let mut header = [0; 4];
    stream.read_exact(&mut header).expect("an answer");
    let mut answer = vec![0; usize::try_from(u32::from_be_bytes(header)).expect("a length")];
    stream.read_exact(&mut answer).expect("an answer");
    stream
}
