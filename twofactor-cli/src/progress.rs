//! A progress bar on a terminal, and nothing anywhere else.

use indicatif::{ProgressBar, ProgressStyle};

use crate::output::Output;

/// The progress of a long task.
#[derive(Debug)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// Begins at nothing of `all`.
    pub(crate) fn new(doing: &'static str, all: u64, output: &Output) -> Self {
        if !output.shows_progress() {
            return Self(ProgressBar::hidden());
        }
        let bar = ProgressBar::new(all).with_message(doing);
        // A bar that looks otherwise is still a bar.
        if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {percent:>3} %") {
            bar.set_style(style.progress_chars("## "));
        }
        Self(bar)
    }

    /// So much of all.
    pub(crate) fn reached(&self, position: u64) {
        self.0.set_position(position);
    }

    /// Takes the bar away.
    pub(crate) fn done(self) {
        drop(self);
    }
}

impl Drop for Progress {
    /// Also what failed leaves no bar behind.
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
