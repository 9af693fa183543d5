//! stub
use crate::args::tokens::Import;
use crate::error::Failure;
use crate::host::Host;
use crate::output::Output;

pub(super) fn run(_arguments: &Import, _host: &Host, _output: &Output) -> Result<(), Failure> {
    Err(Failure::CannotAsk)
}
