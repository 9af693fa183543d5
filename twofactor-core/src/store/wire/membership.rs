//! The questions of a host about itself: its certificate, and a server's clock. No login asks them, and no store answers.
//!
//! Bytes are in hexadecimal digits, as everything else on the wire is text.

use data_encoding::HEXLOWER;
use zeroize::Zeroizing;

use super::answered::{ANSWER, Answered};
use super::error::WireError;
use super::message::{ASK, Message};
use crate::store::error::StoreError;

/// The problem that a server names to a host whose certificate was revoked or replaced.
pub const CERTIFICATE_NOT_TAKEN: &str = "the servers take the certificate of this host no more";

/// A question of a host about itself.
#[derive(Debug)]
pub enum HostCall {
    /// A certificate for a host that has none, with a join code.
    Join {
        /// The number of the code.
        number: u32,
        /// The random bytes of the code.
        secret: Zeroizing<Vec<u8>>,
        /// The key that the certificate is for.
        key: NewKey,
    },
    /// Another certificate, in the place of the one that the connection has shown.
    Renew(NewKey),
    /// The clock of the server.
    Clock,
    /// The state of the link on this host, which answers itself.
    Link,
}

/// The public half of a new key, with a signature that it has made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    /// The public key.
    pub public: Vec<u8>,
    /// Its signature.
    pub signature: Vec<u8>,
}

/// A certificate that a server has made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedCertificate {
    /// The name in it.
    pub name: String,
    /// It, in DER.
    pub certificate: Vec<u8>,
    /// The authority that has signed it, in DER.
    pub authority: Vec<u8>,
}

/// The state of the link of a host, as it tells it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkState {
    /// The certificate that it shows to servers; `None` where that cannot be read.
    pub certificate: Option<ShownCertificate>,
    /// The servers that it does not ask at the moment, each with the reason.
    pub paused: Vec<(String, String)>,
}

/// A certificate that a link shows to servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownCertificate {
    /// Its number, in hexadecimal digits.
    pub serial: String,
    /// Its end, in seconds of Unix time.
    pub until: u64,
}

impl HostCall {
    /// Reads a question; `None` where it is another one.
    pub fn read(message: &Message) -> Result<Option<Self>, WireError> {
        let Some(word) = message.find(ASK)? else { return Ok(None) };
        let (call, keys): (_, &[&str]) = match word {
            "join" => {
                let (number, secret) = (message.parsed("number")?, Zeroizing::new(bytes(message, "secret")?));
                (
                    Self::Join { number, secret, key: NewKey::read(message)? },
                    &["number", "secret", "public", "signature"],
                )
            }
            "renew" => (Self::Renew(NewKey::read(message)?), &["public", "signature"]),
            "clock" => (Self::Clock, &[]),
            "link" => (Self::Link, &[]),
            _ => return Ok(None),
        };
        message.must_have_only(keys, &[])?;
        Ok(Some(call))
    }

    /// The question as a message.
    pub fn message(&self) -> Message {
        match self {
            Self::Join { number, secret, key } => {
                let secret = Zeroizing::new(HEXLOWER.encode(secret));
                key.added_to(Message::asking("join").with_plain("number", number).with("secret", &secret))
            }
            Self::Renew(key) => key.added_to(Message::asking("renew")),
            Self::Clock => Message::asking("clock"),
            Self::Link => Message::asking("link"),
        }
    }
}

impl NewKey {
    fn read(message: &Message) -> Result<Self, WireError> {
        Ok(Self { public: bytes(message, "public")?, signature: bytes(message, "signature")? })
    }

    fn added_to(&self, message: Message) -> Message {
        let Self { public, signature } = self;
        message.with("public", &HEXLOWER.encode(public)).with("signature", &HEXLOWER.encode(signature))
    }
}

impl IssuedCertificate {
    /// The answer with it.
    pub fn message(&self) -> Message {
        let Self { name, certificate, authority } = self;
        Message::new(ANSWER, "issued")
            .with("name", name)
            .with("certificate", &HEXLOWER.encode(certificate))
            .with("authority", &HEXLOWER.encode(authority))
    }

    /// Reads it. The server's own error is an error.
    pub fn read(message: Message) -> Result<Result<Self, StoreError>, WireError> {
        let read = |answered: &Answered| {
            answered.must_be("issued")?;
            let message = answered.message();
            let name = message.get("name")?.to_owned();
            Ok(Self { name, certificate: bytes(message, "certificate")?, authority: bytes(message, "authority")? })
        };
        answer(message, read)
    }
}

/// The answer with the time of a server, in seconds of Unix time.
pub fn answering_clock(seconds: u64) -> Message {
    Message::new(ANSWER, "clock").with_plain("seconds", seconds)
}

/// Reads the time of a server. Its own error is an error.
pub fn read_clock(message: Message) -> Result<Result<u64, StoreError>, WireError> {
    answer(message, |answered| {
        answered.must_be("clock")?;
        answered.message().parsed("seconds")
    })
}

/// The answer of a link about its state.
pub fn answering_link(LinkState { certificate, paused }: &LinkState) -> Message {
    let message = Message::new(ANSWER, "link");
    let message = match certificate {
        Some(ShownCertificate { serial, until }) => message.with("serial", serial).with_plain("until", until),
        None => message,
    };
    paused.iter().fold(message, |message, (server, why)| message.with("server", server).with("why", why))
}

/// Reads the state of a link.
pub fn read_link(message: Message) -> Result<Result<LinkState, StoreError>, WireError> {
    answer(message, |answered| {
        answered.must_be("link")?;
        let message = answered.message();
        let (servers, reasons): (Vec<_>, Vec<_>) = (message.all("server").collect(), message.all("why").collect());
        if servers.len() != reasons.len() {
            return Err(WireError::Value("why"));
        }
        let paused =
            servers.into_iter().zip(reasons).map(|(server, why)| (server.to_owned(), why.to_owned())).collect();
        let (serial, until) = (message.find("serial")?, message.parsed_if_there("until")?);
        let certificate =
            serial.zip(until).map(|(serial, until)| ShownCertificate { serial: serial.to_owned(), until });
        Ok(LinkState { certificate, paused })
    })
}

fn answer<T>(
    message: Message,
    read: impl FnOnce(&Answered) -> Result<T, WireError>,
) -> Result<Result<T, StoreError>, WireError> {
    match Answered::of(message)? {
        Ok(answered) => read(&answered).map(Ok),
        Err(said) => Ok(Err(said)),
    }
}

fn bytes(message: &Message, key: &'static str) -> Result<Vec<u8>, WireError> {
    HEXLOWER.decode(message.get(key)?.as_bytes()).map_err(|_| WireError::Value(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(message: &Message) -> Message {
        Message::read(&message.line().unwrap()).unwrap()
    }

    #[test]
    fn questions_and_answers_are_read_back_and_a_request_has_no_place_for_a_name() {
        let key = NewKey { public: vec![4, 5], signature: vec![6] };
        let join = HostCall::Join { number: 7, secret: Zeroizing::new(vec![8, 9]), key: key.clone() };
        let Some(HostCall::Join { number: 7, secret, key: read }) = HostCall::read(&sent(&join.message())).unwrap()
        else {
            panic!("another question")
        };
        assert!(secret.as_slice() == [8, 9] && read == key);
        assert!(HostCall::read(&sent(&join.message().with("name", "db1"))).is_err());
        assert!(HostCall::read(&sent(&HostCall::Renew(key).message().with("name", "db1"))).is_err());
        assert!(matches!(HostCall::read(&sent(&HostCall::Clock.message())), Ok(Some(HostCall::Clock))));
        assert!(matches!(HostCall::read(&sent(&Message::greeting())), Ok(None)));

        let issued = IssuedCertificate { name: "web1".to_owned(), certificate: vec![1; 900], authority: vec![2; 900] };
        assert_eq!(IssuedCertificate::read(sent(&issued.message())).unwrap().unwrap(), issued);
        assert_eq!(read_clock(sent(&answering_clock(5))).unwrap().unwrap(), 5);
        let paused = vec![("otp1:7443".to_owned(), "refused, or no route".to_owned())];
        let certificate = Some(ShownCertificate { serial: "0a".to_owned(), until: 9 });
        for state in [LinkState::default(), LinkState { certificate, paused }] {
            assert_eq!(read_link(sent(&answering_link(&state))).unwrap().unwrap(), state);
        }
        assert!(IssuedCertificate::read(sent(&Message::done())).is_err());
    }
}
