//! The import of a vendor's file, in two walks over its tokens: all are judged before one is written.

use std::fmt::Debug;
use std::ops::ControlFlow;

use super::author::Author;
use super::sharing::Sharing;
use crate::codes::otp::{Parameters, StatedParameters};
use crate::codes::secret::Secret;
use crate::codes::token::{Marks, Serial};
use crate::host::user::UserName;
use crate::store::error::StoreError;

/// A token that a file offers.
#[derive(Debug)]
pub struct NewToken<'a> {
    /// Its serial.
    pub serial: &'a Serial,
    /// Its secret.
    pub secret: &'a Secret,
    /// The marks by which its secret is found again.
    pub marks: Marks,
    /// The parameters of its codes.
    pub parameters: Parameters,
    /// Those of them that the file or an option states.
    pub stated: StatedParameters,
    /// The next counter of an HOTP token.
    pub counter: Option<u64>,
    /// The offset of its clock in steps, as the vendor states it.
    pub drift: Option<i32>,
    /// Its vendor.
    pub vendor: Option<&'a str>,
    /// Its model.
    pub model: Option<&'a str>,
}

/// The relation of a file's token to those in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// It is not there yet.
    New,
    /// It is there, with the same secret and parameters.
    Unchanged,
    /// It is there, with the same secret and these parameters in the place of assumed ones. It keeps them.
    OtherThanAssumed(Parameters),
    /// It is there, with the same secret and these parameters, which the file contradicts.
    OtherParameters(Parameters),
    /// Its serial is there, with another secret.
    OtherSecret,
    /// Its secret is there, under this serial.
    OtherSerial(Serial),
    /// Its serial was revoked.
    Revoked,
    /// Its serial stood in this file already, with another secret.
    SerialTwice,
    /// It stood in this file already, with these parameters; `None` when the file has too many to remember them.
    ParametersTwice(Option<Parameters>),
    /// Its secret stood in this file already, under another serial.
    SecretTwice,
    /// An app of this user has its secret.
    Shared(UserName),
}

/// The outcome of a file's rows, in numbers.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Tokens it brought.
    pub added: u64,
    /// Tokens that were there already.
    pub unchanged: u64,
    /// Tokens that contradict what is there.
    pub conflicts: u64,
    /// Rows that could not be read. The reader of the file counts them.
    pub rejected: u64,
}

/// The origin of tokens.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// The series they join.
    pub series: &'a str,
    /// The file's name.
    pub file: &'a str,
    /// The file's digest.
    pub sha256: [u8; 32],
}

/// Walks over the tokens of a file and gives each to the function it is given, until it breaks off.
pub type TokenWalk<'w, T> =
    &'w mut dyn FnMut(&mut dyn FnMut(&NewToken<'_>) -> Result<T, StoreError>) -> ControlFlow<()>;

/// A file on its way into the store. An import that is dropped has changed nothing.
pub trait TokenImport: Debug {
    /// Reserves memory for this number of tokens.
    fn expect(&mut self, tokens: usize);

    /// Takes tokens in although users' apps have their secrets, or refuses them.
    fn share(&mut self, sharing: Sharing);

    /// True when a series has that name.
    fn has_series(&self, name: &str) -> Result<bool, StoreError>;

    /// Judges every token of the walk; `None` when it broke off. See [`plan`](#method.plan).
    fn plan_walk(&mut self, walk: TokenWalk<'_, Finding>) -> Result<Option<Counts>, StoreError>;

    /// Writes the new tokens of the walk; `None` when it broke off. See [`write`](#method.write).
    fn write_walk(
        self: Box<Self>,
        origin: Origin<'_>,
        rejected: u64,
        author: Author<'_>,
        walk: TokenWalk<'_, ()>,
    ) -> Result<Option<Counts>, StoreError>;
}

impl dyn TokenImport + '_ {
    /// Judges every token of a file: `walk` gives each to the function it is given, and learns its relation to the store.
    pub fn plan<E: From<StoreError>>(
        &mut self,
        walk: impl FnOnce(&mut dyn FnMut(&NewToken<'_>) -> Result<Finding, E>) -> Result<(), E>,
    ) -> Result<Counts, E> {
        let mut walk = Walked::new(walk);
        let planned = self.plan_walk(&mut |judge| walk.step(&mut |token| Ok(judge(token)?)))?;
        walk.end(planned)
    }

    /// Writes the new ones of the tokens that were judged, in one transaction: `walk` gives the same tokens again, in the
    /// same order. A dry run writes nothing.
    pub fn write<E: From<StoreError>>(
        self: Box<Self>,
        origin: Origin<'_>,
        rejected: u64,
        author: Author<'_>,
        walk: impl FnOnce(&mut dyn FnMut(&NewToken<'_>) -> Result<(), E>) -> Result<(), E>,
    ) -> Result<Counts, E> {
        let mut walk = Walked::new(walk);
        let write = &mut |take: &mut dyn FnMut(&NewToken<'_>) -> Result<(), StoreError>| {
            walk.step(&mut |token| Ok(take(token)?))
        };
        let written = self.write_walk(origin, rejected, author, write)?;
        walk.end(written)
    }

    /// The first name like `wanted` that no series has yet: `wanted`, `wanted-2`, `wanted-3`.
    pub fn free_name(&self, wanted: &str) -> Result<String, StoreError> {
        let names = std::iter::once(wanted.to_owned()).chain((2..).map(|number| format!("{wanted}-{number}")));
        for name in names {
            if !self.has_series(&name)? {
                return Ok(name);
            }
        }
        Ok(wanted.to_owned())
    }
}

/// A walk that runs once and keeps the error that it broke off with.
struct Walked<W, E> {
    walk: Option<W>,
    failed: Option<E>,
}

impl<W, E: From<StoreError>> Walked<W, E> {
    fn new(walk: W) -> Self {
        Self { walk: Some(walk), failed: None }
    }

    fn step<T>(&mut self, each: &mut dyn FnMut(&NewToken<'_>) -> Result<T, E>) -> ControlFlow<()>
    where
        W: FnOnce(&mut dyn FnMut(&NewToken<'_>) -> Result<T, E>) -> Result<(), E>,
    {
        match self.walk.take().map_or(Ok(()), |walk| walk(each)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.failed = Some(error);
                ControlFlow::Break(())
            }
        }
    }

    fn end(self, counts: Option<Counts>) -> Result<Counts, E> {
        self.failed.map_or(Ok(counts.unwrap_or_default()), Err)
    }
}
