//! A connection of the pool while statements run on it.

use deadpool_postgres::Object;

use crate::error::ServerError;

/// A connection while it is used. Where that is given up it is not used again: its statement may run still, and the next one would wait
/// for it.
pub(crate) struct InUse(Option<Object>);

impl InUse {
    /// A connection that was taken from the pool.
    pub(crate) fn of(connection: Object) -> Self {
        Self(Some(connection))
    }

    /// The connection.
    pub(crate) fn client(&mut self) -> Result<&mut Object, ServerError> {
        self.0.as_mut().ok_or(ServerError::BrokenOff)
    }

    /// Gives it back: its statements have ended.
    pub(crate) fn ended(mut self) {
        drop(self.0.take());
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            drop(Object::take(connection));
        }
    }
}
